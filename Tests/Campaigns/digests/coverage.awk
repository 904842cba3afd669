# Compares the keys that resolved configurations set with those of the program's listing, read after them: prints
# the keys that are nowhere, or nowhere other than by default, and the words that no key has; status 1 if there are any.

# Of layers in repeated blocks the path is that of other layers, of initial values that of no layer.
function shortened(path) {
  while (sub(/\.repeat\.layers\[\]/, "", path)) { }
  sub(/^model.*\.weight\./, "weight.", path)
  sub(/^model.*\.bias_value\./, "bias_value.", path)
  return path
}

# Where data, output and time are concerned no bit of the answer is, nor with one host or for a stop.
function is_beside(path) {
  return path ~ /^(data\.(train|test|samples|targets|layout)|evaluation\..*|checkpoint\..*|metrics\..*|run\..*)$/ ||
    path ~ /^(model\[\]|epochs|device|train\.on_nonfinite|train\.gradient_exchange|weight\.zeros|bias_value\.zeros)$/
}

function missing(text) {
  print text
  status = 1
}

FNR == NR {
  match($0, /^ */)
  depth = RLENGTH
  line = substr($0, depth + 1)
  path = ""
  if (line ~ /^- /) {
    line = substr(line, 3)
    depth += 2
    keys[depth - 1] = "[]"
  }
  colon = index(line, ":")
  keys[depth] = substr(line, 1, colon - 1)
  for (i in keys) if (i + 0 > depth) delete keys[i]
  for (i = 0; i <= depth; i++) if (i in keys) path = path (path == "" || keys[i] == "[]" ? "" : ".") keys[i]
  value = substr(line, colon + 2)
  if (value != "null") values[shortened(path), value] = 1
  next
}

NF {
  match($0, /  +/)
  path = shortened(substr($0, 1, RSTART - 1))
  if (is_beside(path) || path in seen) next
  seen[path] = 1
  usual = substr($0, RSTART + RLENGTH)
  sub(/  +.*/, "", usual)
  is_set = 0
  for (pair in values) {
    split(pair, part, SUBSEP)
    if (part[1] == path && part[2] != usual) is_set = 1
  }
  if (!is_set) missing("no configuration sets " path ($0 ~ /\(a map of keys\)$/ ? "" : " to another value than " usual))
  words = $0
  sub(/.*\(/, "", words)
  while (match(words, /'[a-z0-9_]+'/)) {
    word = substr(words, RSTART + 1, RLENGTH - 2)
    words = substr(words, RSTART + RLENGTH)
    if (!((path, word) in values)) missing("no configuration sets " path " to " word)
  }
}

END { exit status }
