// The sums of one step of all ranks of a job, in one process and with symbols in place of numbers.

import DataParallel
import Tensors

/// One step of a small job, of which ``GradientSum`` adds symbols by the plans of all ranks.
struct SymbolicStep: CustomStringConvertible {
  let team: Team
  let cut: MicrobatchCut
  let elements: ElementDivision
  let format: GradientFormat
  private let tree: SumTree
  private let division: WorkDivision
  private let plans: [FoldPlan]
  private let arithmetic = SymbolicArithmetic()

  /// A fault on purpose, to see it named.
  enum Tampering {
    /// The first two subtotals of each group change places.
    case subtotals
    /// Messages to this rank are not delivered.
    case loss(rank: Int)
    /// Messages to this rank arrive one element off.
    case shift(rank: Int)
  }

  struct Fault: Error, CustomStringConvertible {
    let description: String
  }

  var description: String {
    "\(cut.rowCount) rows in \(cut.count) microbatches, \(elements.count) elements in \(elements.buckets.count) buckets, \(format), \(team)"
  }

  init(
    _ team: Team, _ cut: MicrobatchCut, count: Int, bucketLength: Int?, _ format: GradientFormat
  ) {
    (self.team, self.cut, self.format) = (team, cut, format)
    // Two bfloat16 numbers share a float of a message.
    let alignment = format == .bf16 ? 2 : 1
    elements = ElementDivision(
      groups: team.groups, count: count * alignment, bucketLength: bucketLength,
      alignment: alignment)
    tree = SumTree(cut)
    division = WorkDivision(groups: team.groups, microbatches: cut.count)
    plans = (0..<team.size).map { [tree, division, elements] rank in
      FoldPlan(
        tree: tree, division: division, workerCounts: team.workers, elements: elements, rank: rank)
    }
  }

  /// Computes and adds everything, and names the first thing that is wrong: an element, the rank that has its
  /// sum, and the microbatch.
  func fault(_ tampering: Tampering? = nil) throws -> String? {
    var sums: [Float?] = Array(repeating: nil, count: elements.count)
    var fault: String?
    try run(tampering) { rank, element, symbol in
      guard fault == nil else { return }
      guard sums[element] == nil else {
        fault = "element \(element) is summed twice, the second time on rank \(rank)"
        return
      }
      sums[element] = symbol
      let expected = node(tree.root.level, 0, element)
      guard symbol != expected else { return }
      fault =
        "element \(element) on rank \(rank): "
        + (SymbolicSum.fault(
          of: arithmetic.meaning(of: symbol), expected: arithmetic.meaning(of: expected ?? 0))
          ?? "another symbol")
    }
    return fault
      ?? sums.firstIndex { $0 == nil }.map { "element \($0) is summed on no rank" }
  }

  /// Node (level, index) of the tree by its definition; nil where nothing is present.
  private func node(_ level: Int, _ index: Int, _ element: Int) -> Float? {
    if level == 0 {
      guard index < cut.count, !cut[index].isEmpty else { return nil }
      return arithmetic.term(microbatch: index, element: element)
    }
    let left = node(level - 1, 2 * index, element)
    let right = node(level - 1, 2 * index + 1, element)
    if let left, let right { return arithmetic.sum(left, right) }
    return left ?? right
  }

  private func run(
    _ tampering: Tampering?, receive: (_ rank: Int, _ element: Int, Float) -> Void
  ) throws {
    let memory = team.groups.map { $0.map(workerVectors) }
    let stagings = plans.map { GradientStaging(for: [$0], format) }
    let sums = plans.indices.map { rank in
      let ofGroup = memory[elements.group(of: rank)]
      return GradientSum(
        plans[rank], staging: stagings[rank], exchange: nil, arithmetic: arithmetic
      ) { subtotal in
        var subtotal = subtotal
        if case .subtotals? = tampering, let index = plans[rank].subtotals.firstIndex(of: subtotal),
          index < 2, plans[rank].subtotals.count > 1
        {
          subtotal = plans[rank].subtotals[1 - index]
        }
        return ofGroup[subtotal.localRank][subtotal.worker][subtotal.subtree].pointer
      }
    }
    for bucket in elements.buckets.indices {
      for sum in sums { try sum.begin(bucket) }
      try deliver(bucket, stagings, tampering)
    }
    for bucket in elements.buckets.indices {
      for (rank, sum) in sums.enumerated() {
        // In parts, as the workers of a rank do.
        for start in stride(from: 0, to: sum.owned(bucket).count, by: 3) {
          let owned = sum.owned(bucket)
          let part =
            owned.lowerBound + start..<min(owned.lowerBound + start + 3, owned.upperBound)
          sum.sum(part, in: bucket) { range, values in
            for element in range { receive(rank, element, values[element]) }
          }
        }
      }
    }
    withExtendedLifetime(memory) {}
  }

  /// Computes the microbatches of a rank and returns the slots of each of its workers.
  private func workerVectors(_ rank: Int) -> [[FloatBuffer]] {
    // Groups of all sizes side by side.
    let layout = StepLayout(
      groups: team.groups, workerCounts: team.workers, microbatches: cut.count,
      rowCounts: [cut.rowCount], groupSize: [nil, 1, 2, 4][(rank + cut.rowCount) % 4])
    return (0..<team.workers[rank]).map { worker in
      let work = layout.work(of: rank, worker: worker, in: layout.patterns[0])
      let slots = (0..<work.slotCount).map { _ in FloatBuffer(count: elements.count) }
      for element in 0..<elements.count {
        var trace = WorkTrace(
          term: { arithmetic.term(microbatch: $0, element: element) }, add: arithmetic.sum)
        _ = trace.run(work.groups)
        for (slot, sum) in trace.slots { slots[slot].pointer[element] = sum }
      }
      return slots
    }
  }

  /// Copies the messages of a bucket from the ranks that send to those that receive.
  private func deliver(
    _ bucket: Int, _ stagings: [GradientStaging], _ tampering: Tampering?
  ) throws {
    for receiver in plans.indices {
      let incoming = plans[receiver].buckets[bucket].incoming
      for sender in plans.indices {
        let sent = plans[sender].buckets[bucket].outgoing.first { $0.rank == receiver }
        let expected = incoming.first { $0.rank == sender }
        guard sent?.elements == expected?.elements, sent?.staged.count == expected?.staged.count
        else {
          throw Fault(
            description:
              "rank \(sender) sends rank \(receiver) \(sent.map(String.init(describing:)) ?? "nothing"), "
              + "which expects \(expected.map(String.init(describing:)) ?? "nothing")")
        }
        guard let sent, let expected else { continue }
        var shift = 0
        switch tampering {
        case .loss(receiver): continue
        case .shift(receiver): shift = 1
        default: break
        }
        let (source, target) = (format.floats(sent.staged), format.floats(expected.staged))
        for index in 0..<source.count {
          stagings[receiver].receiving.pointer[target.lowerBound + index] =
            stagings[sender].sending.pointer[
              source.lowerBound + (index + shift) % source.count]
        }
      }
    }
  }

  /// Names what is wrong with the places of messages in the staging memory of a rank.
  func stagingFault() -> String? {
    for plan in plans {
      for (messages, count, name) in [
        (plan.buckets.flatMap(\.outgoing), plan.sendingCount, "sending"),
        (plan.buckets.flatMap(\.incoming), plan.receivingCount, "receiving"),
      ] {
        var owners: [FoldPlan.Message?] = Array(repeating: nil, count: count)
        for message in messages {
          for index in message.staged {
            guard owners.indices.contains(index), owners[index] == nil else {
              return "rank \(plan.rank): \(message) has no place of its own for \(name)"
            }
            owners[index] = message
          }
        }
        if owners.contains(nil) { return "rank \(plan.rank): memory for \(name) is not used" }
      }
    }
    return nil
  }
}
