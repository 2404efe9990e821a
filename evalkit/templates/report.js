"use strict";
document.documentElement.classList.add("scripted");
document.addEventListener("DOMContentLoaded", function () {
  var root = document.documentElement;
  document.querySelectorAll("details").forEach(function (part) { part.open = false; });
  root.classList.remove("scripted");
  var button = document.getElementById("theme");
  var themes = ["auto", "light", "dark"];
  var now = 0;
  button.hidden = false;
  button.addEventListener("click", function () {
    now = (now + 1) % themes.length;
    if (now) root.setAttribute("data-theme", themes[now]);
    else root.removeAttribute("data-theme");
    button.textContent = "Theme: " + themes[now];
  });

  function openTarget() {
    var name = decodeURIComponent(location.hash.slice(1));
    var item = name && document.getElementById(name);
    if (item && item.tagName === "DETAILS") {
      item.open = true;
      item.scrollIntoView();
    }
  }
  window.addEventListener("hashchange", openTarget);
  openTarget();

  var search = document.getElementById("search");
  if (search) {
    var items = Array.prototype.map.call(document.querySelectorAll(".item"), function (item) {
      return { node: item, text: item.textContent.toLowerCase() };
    });
    var found = "ITEM:not(.unmatched), ITEM:target";
    var counts = document.querySelectorAll(".filters .count");
    search.hidden = false;
    search.querySelector("input").addEventListener("input", function (event) {
      var wanted = event.target.value.trim().toLowerCase();
      items.forEach(function (item) {
        item.node.classList.toggle("unmatched", wanted !== "" && item.text.indexOf(wanted) < 0);
      });
      ["item", "differs", "failing"].forEach(function (kind, place) {
        counts[place].textContent = document.querySelectorAll(found.replace(/ITEM/g, ".item." + kind)).length;
      });
      document.getElementById("unfound").hidden = document.querySelector(found.replace(/ITEM/g, ".item")) !== null;
    });
  }

  var blind = document.getElementById("blind");
  if (blind) {
    var rows = Array.prototype.map.call(document.querySelectorAll(".item .outputs"), function (row) {
      var shown = Array.prototype.slice.call(row.children);
      var place = function (output) { return Number(/\bp(\d+)\b/.exec(output.className)[1]); };
      return { node: row, shown: shown, hidden: shown.slice().sort(function (a, b) { return place(a) - place(b); }) };
    });
    var arrange = function () {
      rows.forEach(function (row) {
        (blind.checked ? row.hidden : row.shown).forEach(function (output) { row.node.appendChild(output); });
      });
    };
    blind.addEventListener("change", arrange);
    if (blind.checked) arrange();
  }

  var links = {};
  document.querySelectorAll(".contents a").forEach(function (link) {
    links[link.hash.slice(1)] = link;
  });
  if ("IntersectionObserver" in window) {
    var watcher = new IntersectionObserver(function (entries) {
      entries.forEach(function (entry) {
        var link = links[entry.target.id];
        if (link) link.classList.toggle("here", entry.isIntersecting);
      });
    }, { rootMargin: "-20% 0px -70% 0px" });
    document.querySelectorAll("main > section").forEach(function (section) {
      watcher.observe(section);
    });
  }
});
