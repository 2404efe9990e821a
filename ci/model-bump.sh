#!/bin/sh
# Asks for evidence where a change bumps a pinned model, and makes it if it may. One path for GitHub, GitLab and a shell.
#
#   model-bump.sh mentioned   say whether a changed file names a model (mentioned=true or false): git alone, in a moment
#   model-bump.sh changed     say whether a pin changed (changed=true or false), and a key for a cache of run files
#   model-bump.sh             verify the evidence; make what is missing: run, grade, gate, approve
#
# Ends with 0 if every bumped pin has evidence, 6 if it lacks some that cannot be made here, 1 or 3 if a gate failed
# or was inconclusive; else with evalkit's own code. A candidate's run file that passes, and is too old to be evidence, is
# kept as NAME.db.old, and run anew. Settings, all from the environment:
#
#   EVALKIT_RANGE      the change, BASE...HEAD (default: origin/main...HEAD)
#   EVALKIT_DATASET    the team's own items; without it, and without a key, evidence is only verified
#   EVALKIT_RUBRIC     its rubric (default: what `evalkit run` finds)
#   EVALKIT_POLICY     what a candidate must show (default: gate.yaml if there is one)
#   EVALKIT_LOCK       the file of approvals (default: evalkit.lock)
#   EVALKIT_EPOCHS     trials of each item (default 3)
#   EVALKIT_EXECUTOR   local or batch: half the price, no latency, minutes to 24 hours (default: local)
#   EVALKIT_LATENCY_SAMPLE  with batch: so many items are streamed even so, for the latency checks of the policy
#   EVALKIT_LOOKS      shares of the items to run before each look of the policy's `sequential:`, e.g. "0.5 0.75 1"
#   EVALKIT_GRADE_BY   judges or checks (default: judges)
#   EVALKIT_BUDGET_USD what the evidence for one bump may cost in all: both models' outputs, also those that are cached,
#                      and grading; without it nothing is spent
#   EVALKIT_EVIDENCE   auto (make it where there is a key), always, never
#   EVALKIT_BASELINE, EVALKIT_CANDIDATE  the same models as another provider spells them, to be run there, e.g.
#                      bedrock:us.anthropic....; another model is refused before anything is sent
#   EVALKIT_REUSE      auto (take the outputs of either model over from a run file of it alone, where that is sound),
#                      never (one run of both, side by side)
#   EVALKIT_CACHE      URL of a folder, e.g. s3://team/evalkit, in which run files are kept from job to job; without it,
#                      the CI's own cache may keep runs/
#   EVALKIT_OUT        folder of what is written (default: evalkit-out)
#   EVALKIT_TRIAL      1: the sandbox's evidence counts, to try all this without a key
set -eu

range=${EVALKIT_RANGE:-origin/main...HEAD}
lock=${EVALKIT_LOCK:-evalkit.lock}
out=${EVALKIT_OUT:-evalkit-out}
dataset=${EVALKIT_DATASET:-}
trial=
[ "${EVALKIT_TRIAL:-}" != 1 ] || trial=--allow-simulated
annotate=
[ "${GITHUB_ACTIONS:-}" != true ] || annotate=--annotate
summary=${GITHUB_STEP_SUMMARY:-/dev/null}
most_bytes=900000 # GitHub drops a step summary over 1 MiB
most_of_a_comment=64000 # and refuses a comment over 65,536 characters
sought='[Cc][^ -~]?[Ll][^ -~]?[Aa][^ -~]?[Uu][^ -~]?[Dd][^ -~]?[Ee]|:bedrock:' # as in evalkit/pins/spelling.py

if ! [ "$out" -ef . ]; then # what an earlier job left here of this script's own: its verdict is not this one's
  rm -f "$out"/gate-*-to-*.json "$out"/gate-*-to-*.xml "$out"/gate-*-to-*.md "$out"/report-*-to-*.html
  for file in comment.md concluded.md reasons.md gates.md said.txt wrong.txt refusals.txt refused.txt; do
    rm -f "$out/$file"
  done
  [ "$out/${lock##*/}" -ef "$lock" ] || rm -f "$out/${lock##*/}"
fi

case $range in
  *[[:space:]]* | -* | ..*) known= ;;
  *..*) known=yes ;;
  *) known= ;;
esac
[ -n "$known" ] || { echo "error: EVALKIT_RANGE is no range of commits; write BASE...HEAD" >&2 && exit 2; }

decided= # by a gate, or by what else the job looked at
cache_open= # whether run files are to be sent back

at_end() { # 1 says that a gate failed, so a disk that is full, or whatever else ends a shell, does not end with it
  code=$?
  [ -z "$cache_open" ] || keep
  if [ "$code" -eq 1 ] && [ -z "$decided" ]; then
    echo "error: this job ended early, and no gate failed; see above, and whether its disk is full" >&2
    exit 5
  fi
}
trap at_end EXIT

answer() { # to the workflow; to whoever calls it elsewhere, where stdout may be a file or a socket
  if [ -n "${GITHUB_OUTPUT:-}" ]; then cat >>"$GITHUB_OUTPUT"; else cat; fi
}

say_mentioned() { # in whole files: where a comment ends, or a key above, changes what lines run that stay as they are
  changed=$(git -c diff.relative=false diff --raw --no-abbrev --no-renames --no-ext-diff --ignore-submodules=none --end-of-options "$range" --) || {
    echo "error: git does not know $range; check the whole history out (fetch-depth: 0, GIT_DEPTH: 0)" >&2
    exit 2
  }
  if printf '%s\n' "$changed" | grep -Eq '^:([0-7]+ )?160000 '; then
    echo "warning: a submodule changed, which is not looked into" >&2
  fi
  if printf '%s\n' "$changed" | awk '!/^:([0-7]+ )?160000 / { print $3; print $4 }' | grep -E '[1-9a-f]' |
    { git cat-file --batch || printf '\n0 missing\n'; } | tr -d '\000' | LC_ALL=C grep -Eq "$sought|^[0-9a-f]+ missing\$"; then
    mentioned=true
  else
    mentioned=false
  fi
  echo "mentioned=$mentioned" | answer
}

say_changed() {
  code=0
  evalkit pins diff "$range" --exit-code || code=$?
  case $code in
    0) changed=false ;;
    1) changed=true ;;
    *) exit "$code" ;;
  esac
  {
    echo "changed=$changed"
    echo "key=$(cache_key)"
  } | answer
}

cache_key() { # of the test set; which run file fits which models and settings, evalkit tells by its name and content
  for file in "$dataset" "${dataset%.*}.yaml" "${EVALKIT_RUBRIC:-}" evalkit.yaml; do
    if [ -f "$file" ]; then git hash-object --no-filters -- "$file"; else echo none; fi
  done | git hash-object --stdin
}

of_ours() { # COMMAND OPTIONS...: with the files that evidence must be of, or any that the change brings along would do
  evalkit pins "$@" --lock "$lock" $trial ${dataset:+--dataset "$dataset"} \
    ${EVALKIT_RUBRIC:+--rubric "$EVALKIT_RUBRIC"} ${EVALKIT_POLICY:+--policy "$EVALKIT_POLICY"}
}

verify() { # keeps what is said, since what is wrong now may be put right yet
  code=0
  of_ours verify --changed "$range" $annotate >"$out/said.txt" 2>"$out/wrong.txt" || code=$?
}

kept_at() { # the folder of this test set's run files
  printf %s "${EVALKIT_CACHE%/}/$(cache_key)/"
}

restore() { # what earlier jobs have paid for, or no evidence is made: nothing is paid for twice
  [ -n "${EVALKIT_CACHE:-}" ] || return 0
  mkdir -p runs
  evalkit export "$(kept_at)" runs/ >"$out/cache.txt" || exit
  cache_open=yes
  trap 'exit 130' INT TERM
}

keep() { # whatever the verdict, which it does not change
  evalkit export runs/ "$(kept_at)" --force >"$out/cache.txt" || echo "warning: run files are not kept at EVALKIT_CACHE" >&2
}

may_run() {
  case ${EVALKIT_EVIDENCE:-auto} in
    always) true ;;
    never) false ;;
    auto) [ -n "$dataset" ] && [ -n "${ANTHROPIC_API_KEY:-}${AWS_BEARER_TOKEN_BEDROCK:-}${AWS_ACCESS_KEY_ID:-}" ] ;;
    *) echo "error: EVALKIT_EVIDENCE is not auto, always or never; use one of them" >&2 && exit 2 ;;
  esac
}

may_reuse() { # not where documents fill the context up to what both models take, nor where latencies are compared, nor in looks
  case ${EVALKIT_REUSE:-auto} in
    never) return 1 ;;
    auto) ;;
    *) echo "error: EVALKIT_REUSE is neither auto nor never; use one of them" >&2 && exit 2 ;;
  esac
  policy=${EVALKIT_POLICY:-gate.yaml}
  [ "${EVALKIT_LOOKS:-1}" = 1 ] && ! grep -qs context_tokens "${dataset%.*}.yaml" && ! grep -Eqs 'felt_latency|ttft' "$policy"
}

aloud() { # COMMAND...: what it says on stderr is told as it comes, and its errors stand in the comment as well
  printf '' >"$out/failed.txt"
  { { failed=0 && { "$@" || failed=$?; } && echo "$failed" >"$out/failed.txt"; } 2>&1 >&3 </dev/null | (trap '' INT && exec tee "$out/told.txt") >&2; } 3>&1
  [ -s "$out/failed.txt" ] || unwritten failed.txt || return
  [ "$(cat "$out/failed.txt")" -ne 0 ] || return 0
  sed -n "s/^error: /error: $name: /p" "$out/told.txt" >>"$out/refusals.txt"
  return "$(cat "$out/failed.txt")"
}

unwritten() { # FILE: it is empty, as a disk that is full leaves files
  echo "error: $out/$1 cannot be written; is the disk full?" >&2
  return 5
}

run_of() { # MODEL OPTIONS...: sends what is missing, and sets `run` to the run file
  aloud evalkit run "$dataset" ${EVALKIT_RUBRIC:+--rubric "$EVALKIT_RUBRIC"} -m "$@" --epochs "${EVALKIT_EPOCHS:-3}" \
    ${part:+--share "$part"} ${EVALKIT_EXECUTOR:+--executor "$EVALKIT_EXECUTOR"} \
    ${EVALKIT_LATENCY_SAMPLE:+--latency-sample "$EVALKIT_LATENCY_SAMPLE"} \
    ${EVALKIT_BUDGET_USD:+--budget-usd "$EVALKIT_BUDGET_USD"} >"$out/run.txt" || return
  cat "$out/run.txt"
  run=$(sed -n 's/^complete[^:]*: //p' "$out/run.txt" | tail -n 1)
}

run_both() { # BASELINE CANDIDATE: sets `run` to a run file of both, and `fresh` to that with the candidate's outputs
  if ! may_reuse; then
    run_of "$1" -m "$2" || return
    [ -n "$run" ] || unwritten run.txt || return
    fresh=$run
    return
  fi
  run_of "$1" || return
  [ -n "$run" ] || unwritten run.txt || return
  alone=$run
  run_of "$2" --budget-beside "$alone" || return
  [ -n "$run" ] || unwritten run.txt || return
  fresh=$run
  both=${alone%.db}+${run##*/}
  [ -f "$both" ] || aloud evalkit merge "$alone" "$run" -o "$both" || return
  run=$both
}

named() { # BASELINE CANDIDATE: what the files of a bump are called by; two pins may be bumped to one model
  printf %s "$1-to-$2" | tr -c 'A-Za-z0-9._-' _
}

plan() { # BASELINE CANDIDATE: what is left to send, counted and priced; refused if the server would refuse it
  name=$(named "$1" "$2")
  part=
  set -- "${EVALKIT_BASELINE:-$1}" "${EVALKIT_CANDIDATE:-$2}"
  echo "evidence for $2 in place of $1: what is left to send"
  if may_reuse; then
    run_of "$1" --dry-run && forget_merged && run_of "$2" --dry-run && forget_merged
  else
    run_of "$1" -m "$2" --dry-run
  fi
}

forget_merged() { # what was merged of a run file has not the outputs that are still to be made for it
  sed -n -e 's/^new run //p' -e 's/^going on with \(.*\): [0-9]* of [0-9]* trials done, kept$/\1/p' "$out/run.txt" |
    while read -r side; do
      for file in "${side%.db}"+*.db "${side%/*}"/*+"${side##*/}"; do
        [ -f "$file" ] || continue
        mv -f "$file" "$file.old" || exit 5
        echo "$file is of other outputs, and is kept as $file.old"
      done
    done
}

prove() { # BASELINE CANDIDATE: one run of both, graded together, gated, and approved with its verdict
  name=$(named "$1" "$2")
  set -- "${EVALKIT_BASELINE:-$1}" "${EVALKIT_CANDIDATE:-$2}"
  echo "evidence for $2 in place of $1"
  gated "$1" "$2" || return
  [ -f "$out/gate-$name.json" ] || return "$code"
  approved=0
  approve || approved=$?
  if [ "$approved" -ne 0 ] && [ "$code" -eq 0 ] && grep -q ' days old, ' "$out/refused.txt"; then
    put_aside "$2"
    gated "$1" "$2" || return
    [ -f "$out/gate-$name.json" ] || return "$code"
    approved=0
    approve || approved=$?
  fi
  cat "$out/refused.txt" >&2
  [ "$approved" -eq 0 ] || sed "s/^error: /error: gate-$name.json: /" "$out/refused.txt" >>"$out/refusals.txt"
  append "$out/gate-$name.md" "$summary" "$most_bytes"
  append "$out/gate-$name.md" "$out/gates.md" "$most_bytes"
  evalkit report "$run" -o "$out/report-$name.html" >/dev/null || return "$(worse "$code" $?)"
  [ "$approved" -eq 0 ] || return "$(worse "$code" "$approved")"
  [ "$out/${lock##*/}" -ef "$lock" ] || cp "$lock" "$out/" || return "$(worse "$code" 5)" # which may lie there
  return "$code"
}

gated() { # BASELINE CANDIDATE: looks until one settles it, whatever the policy makes of an inconclusive one; sets code
  for share in ${EVALKIT_LOOKS:-1}; do
    code=0
    look "$1" "$2" "$share" || return
    [ -f "$out/gate-$name.json" ] || return 0
    grep -q '"verdict": "inconclusive"' "$out/gate-$name.json" || break
  done
}

approve() { # the gate's verdict; what speaks against that is kept for the comment
  evalkit pins approve "$out/gate-$name.json" --lock "$lock" --dataset "$dataset" \
    ${EVALKIT_RUBRIC:+--rubric "$EVALKIT_RUBRIC"} ${EVALKIT_POLICY:+--policy "$EVALKIT_POLICY"} 2>"$out/refused.txt"
}

put_aside() { # CANDIDATE: its run file, and those that hold its outputs as a candidate's, by another name: it is run anew
  for file in "$fresh" "$run" "${fresh%/*}"/*+"${fresh##*/}"; do
    [ ! -f "$file" ] || mv -f "$file" "$file.old"
  done
  echo "the outputs of $1 are too old to be evidence, so it is run anew; $fresh is kept as $fresh.old"
}

look() { # BASELINE CANDIDATE SHARE: run and grade this share of the items, then gate; sets run, and code to the gate's
  part=
  [ "$3" = 1 ] || part=$3
  run_both "$1" "$2" || return
  aloud evalkit grade "$run" --blind --by "${EVALKIT_GRADE_BY:-judges}" \
    ${EVALKIT_BUDGET_USD:+--budget-usd "$EVALKIT_BUDGET_USD"} --quiet || return
  rm -f "$out/gate-$name".*
  evalkit gate "$run" --baseline "$1" --candidate "$2" ${EVALKIT_POLICY:+--policy "$EVALKIT_POLICY"} $trial \
    -o "$out/gate-$name.json" -o "$out/gate-$name.xml" -o "$out/gate-$name.md" || code=$?
}

worse() { # CODE CODE: a gate that failed before all else
  if [ "$1" -eq 1 ] || { [ "$2" -ne 1 ] && [ "$2" -lt "$1" ]; }; then echo "$1"; else echo "$2"; fi
}

append() { # FILE TO BYTES: the file whole, or that it did not fit into so many
  [ -f "$1" ] || unwritten "${1##*/}" || exit
  written=0
  [ ! -f "$2" ] || written=$(wc -c <"$2")
  if [ $((written + $(wc -c <"$1"))) -lt "$3" ]; then
    cat "$1" >>"$2"
  else
    printf '\n%s\n' "A part did not fit here; it is among the files of this job." >>"$2"
  fi
}

comment() { # HEADING [FILE]: the body of the one comment, with the gates of this job
  printf '<!-- evalkit:model-bump -->\n%s\n\n' "$1" >"$out/comment.md"
  [ -z "${2:-}" ] || append "$2" "$out/comment.md" "$most_of_a_comment"
  append "$out/gates.md" "$out/comment.md" "$most_of_a_comment"
}

first_lines() { # as many whole lines as a comment has room for, and how many are left out
  LC_ALL=C awk -v most=$((most_of_a_comment - 4000)) '
    { read += length($0) + 1 }
    read <= most { print; next }
    { left++ }
    END { if (left) print "    and " left " more lines, which are among the files of this job" }'
}

conclude() { # HEADING: in the step summary and the comment, above the reasons, which are indented so that none is Markdown
  { printf '%s\n\n' "$1" && cat "$out/reasons.md"; } >"$out/concluded.md"
  append "$out/concluded.md" "$summary" "$most_bytes"
  comment "$1" "$out/reasons.md"
}

check() {
  code=0
  evalkit pins diff "$range" --exit-code || code=$?
  [ "$code" -eq 1 ] || exit "$code"
  mkdir -p "$out" || exit 2
  : >"$out/gates.md"
  : >"$out/refusals.txt"
  comment "### No verdict on a pinned model that changed: the check ended early, see its log"
  verify
  advice="Somebody with a key makes the evidence on this branch (evalkit run, grade, gate, pins approve) and commits $lock."
  worst=0
  if [ "$code" -eq 6 ] && may_run; then
    prove_all
    [ ! -s "$out/unproven.txt" ] || advice="No evidence could be made; the log of this job says why."
    [ ! -s "$out/gates.md" ] || advice="The gates of this job say why, and what would settle an inconclusive one."
    [ ! -s "$out/refusals.txt" ] || advice="What this job could not make or approve has its reasons above; its gates say the rest."
    verify
  fi
  case $code in
    0)
      sed -n 's/^warning: /    /p' "$out/wrong.txt" >"$out/reasons.md"
      if grep -q ': removed, and no model id ' "$out/wrong.txt"; then
        conclude "### A pinned model was removed, for which nothing is verified; any other that changed may stand"
      else
        conclude "### Each pinned model that changed has valid evidence"
      fi
      ;;
    6)
      { cat "$out/wrong.txt" "$out/refusals.txt" | sed -e '/^exit /d' -e 's/^/    /' | first_lines && printf '\n%s\n\n' "$advice"; } >"$out/reasons.md"
      conclude "### BLOCKED: a pinned model changed without valid evidence"
      ;;
  esac
  cat "$out/said.txt"
  [ "$worst" -ne 0 ] || { cat "$out/wrong.txt" >&2 && exit "$code"; }
  decided=yes
  sed '/^exit /d' "$out/wrong.txt" >&2 # that is not what this job ends with
  exit "$worst"
}

numbers() { # "0.50 1.0" and "0.5 1" are the same shares
  printf %s "$1" | awk '{ for (i = 1; i <= NF; i++) printf "%g ", $i }'
}

prove_all() { # every gate that the change lacks, once its files are sound; remembers the worst code
  [ -n "$dataset" ] || { echo "error: EVALKIT_DATASET is not set; name your own items" >&2 && exit 2; }
  asked=${EVALKIT_POLICY:-}
  [ -n "$asked" ] || [ ! -f gate.yaml ] || asked=gate.yaml
  evalkit check "$dataset" ${EVALKIT_RUBRIC:+--rubric "$EVALKIT_RUBRIC"} ${asked:+--policy "$asked"} \
    --epochs "${EVALKIT_EPOCHS:-3}" >"$out/check.txt"
  grep -v ': warning: ' "$out/check.txt" || :
  planned=$(sed -n 's/^.*: looks at these shares of the items: //p' "$out/check.txt")
  [ "${EVALKIT_LOOKS:-1}" = 1 ] || [ "$(numbers "$EVALKIT_LOOKS")" = "$(numbers "$planned")" ] || {
    echo "error: EVALKIT_LOOKS needs the same shares as 'sequential: {looks: [...]}' in the policy (${planned:-none}); write them there" >&2
    exit 2
  }
  if grep -q ': the policy does not ask for quality' "$out/check.txt"; then
    echo "error: $asked does not ask for quality, so it approves no pin; add 'quality: {margin: 0.10}'" >&2
    exit 2
  fi
  case ${EVALKIT_GRADE_BY:-judges} in
    judges | checks) ;;
    *) echo "error: EVALKIT_GRADE_BY is neither judges nor checks; use one of them" >&2 && exit 2 ;;
  esac
  folder=.
  case $lock in */*) folder=${lock%/*}/ ;; esac
  mkdir -p "$folder" && [ -w "$folder" ] || {
    echo "error: $lock cannot be written, so nothing could be approved; name another place with EVALKIT_LOCK" >&2
    exit 2
  }
  restore
  of_ours unproven "$range" ${EVALKIT_BASELINE:+--baseline "$EVALKIT_BASELINE"} \
    ${EVALKIT_CANDIDATE:+--candidate "$EVALKIT_CANDIDATE"} >"$out/unproven.txt"
  while read -r baseline candidate; do
    code=0
    plan "$baseline" "$candidate" || code=$?
    worst=$(worse "$worst" "$code")
  done <"$out/unproven.txt"
  [ "$worst" -eq 0 ] || return 0 # before anything is sent
  while read -r baseline candidate; do
    code=0
    prove "$baseline" "$candidate" || code=$?
    worst=$(worse "$worst" "$code")
  done <"$out/unproven.txt"
}

case ${1:-check} in
  mentioned) say_mentioned ;;
  changed) say_changed ;;
  check) check ;;
  *) echo "error: unknown step '$1'; use mentioned, changed, or none" >&2 && exit 2 ;;
esac
