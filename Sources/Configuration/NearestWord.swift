// Suggestions for misspelt words.

/// Returns the known word that `word` most likely stands for, or nil if none is near.
///
/// The distance counts insertions, deletions, replacements and swaps of neighbours; case does not
/// count, nor does `-` for `_`. A third of the letters may be wrong, or one in a shorter word, but never
/// all. A word that is the beginning of exactly one known word is near too. The first of equals wins.
/// Source: Damerau (1964), https://doi.org/10.1145/363958.363994, in the restricted form.
///
/// - Complexity: O(length of `word` · letters of `known`).
public func nearest(_ word: String, in known: [String]) -> String? {
  let wanted = normalized(word)
  guard (1...64).contains(wanted.count) else { return nil }
  let limit = min(max(1, wanted.count / 3), wanted.count - 1)
  var best: (word: String, distance: Int)?
  for candidate in known {
    let distance = editDistance(wanted, normalized(candidate))
    if distance <= limit, distance < best?.distance ?? Int.max { best = (candidate, distance) }
  }
  if let best { return best.word }
  guard wanted.count >= 3 else { return nil }
  let continued = known.filter { normalized($0).starts(with: wanted) }
  return continued.count == 1 ? continued[0] : nil
}

private func normalized(_ word: String) -> [Character] {
  word.lowercased().map { $0 == "-" ? "_" : $0 }
}

private func editDistance(_ a: [Character], _ b: [Character]) -> Int {
  // Three rows of the usual table; swaps need the row before last.
  var beforeLast: [Int] = []
  var last = Array(0...b.count)
  for i in a.indices {
    var row = [i + 1]
    for j in b.indices {
      var distance = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
      if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
        distance = min(distance, beforeLast[j - 1] + 1)
      }
      row.append(distance)
    }
    (beforeLast, last) = (last, row)
  }
  return last[b.count]
}
