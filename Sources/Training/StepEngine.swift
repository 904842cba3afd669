import Communication
import Execution
import Kernels
import Models
import Numerics
import Synchronization
import Tensors

/// Computes one step on all ranks and workers: microbatches, the sum of their gradients, the update.
///
/// A step is the same whatever runs it: microbatches are computed one by one, and everything that
/// is summed over them is summed by one tree. This class decides only who does what. A rank's
/// microbatches are shared out among its workers as those of a step are among the ranks; elements of
/// flat vectors are shared out by ``ElementDivision``.
final class StepEngine {
  /// What all ranks know after a step's microbatches are computed.
  struct Outcome {
    /// The sums over all rows of the step.
    let sums: MicrobatchSums
    /// Whether a rank was asked to stop.
    let stopWasRequested: Bool
  }

  /// The part of one pattern of present microbatches that this rank does.
  struct Program {
    let cut: MicrobatchCut
    let tree: SumTree
    let workers: [WorkerProgram]
    let sum: GradientSum
    /// How vectors of all microbatches are added, in slots of their numbers.
    let total: (additions: [SumTree.Addition], slot: Int?)
  }

  /// What one worker does, in its own slots.
  struct WorkerProgram {
    let instructions: [SumTree.Instruction]
    /// The last microbatch, during which sums begin; nil for a worker that computes none.
    let lastCompute: Int?
    /// The calls of the last microbatch's plan that are forward.
    let forwardCalls: Int
    /// For each bucket, the calls of the last microbatch's plan after which it is final.
    let finalCalls: [Int]
  }

  /// A worker with its memory; one thread at a time.
  final class Worker {
    /// What computes its microbatches: one for all, or one for each where they are computed in segments,
    /// since all are under way at once then.
    let hands: [MicrobatchWorker]
    let slots: [FloatBuffer]
    /// Told where the time goes; nil for a thread of which nobody wants to know.
    let stopwatch: Stopwatch?
    var failure: (any Error)?
    private let firstLeaf: Int

    init(
      _ hands: [MicrobatchWorker], firstLeaf: Int, stopwatch: Stopwatch?, slots: [FloatBuffer]
    ) {
      self.stopwatch = stopwatch
      self.hands = hands
      self.firstLeaf = firstLeaf
      self.slots = slots
    }

    /// What computes a microbatch.
    func hand(for leaf: Int) -> MicrobatchWorker {
      hands.count == 1 ? hands[0] : hands[leaf - firstLeaf]
    }
  }

  /// The first bytes of what a rank tells the others about its microbatches.
  private struct Header {
    var hasFailed: Int64
    var stopWasRequested: Int64
    /// The time until its microbatches were computed.
    var busyNanoseconds: Int64
  }

  /// Where things lie in the memory that a rank shares with its group.
  private struct Segment {
    let workerCount: Int
    /// The slots of each worker, one after another.
    let slotCounts: [Int]
    let recordSize: Int
    let vectorLength: Int

    /// How many buckets of how many steps a worker is done with, on a cache line of its own.
    func progressOffset(_ worker: Int) -> Int { 64 * worker }
    var recordOffset: Int { 64 * workerCount }
    var slotsOffset: Int { (recordOffset + recordSize + 4095) / 4096 * 4096 }
    var vectorSize: Int { vectorLength * MemoryLayout<Float>.stride }
    func slotOffset(_ worker: Int, _ slot: Int) -> Int {
      slotsOffset + (slotCounts[..<worker].reduce(0, +) + slot) * vectorSize
    }
    var byteCount: Int { slotOffset(workerCount, 0) }
  }

  /// The threads of this rank.
  let pool: WorkerPool
  let communicator: any Communicator
  private let group: RankGroup
  let division: WorkDivision
  private let replica: Replica
  private let seed: UInt64
  let stopwatch: Stopwatch
  let workers: [Worker]
  /// What sums within graphs go by; nil where graphs have none.
  private let totals: TotalExchange?
  private let programs: [Int: Program]
  private let segments: [Segment]
  private let memory: SharedMemory
  private let updater: StepUpdater
  /// Of all ranks, where they are not all in one group.
  private let records: UnsafeMutableRawBufferPointer
  private let terms: UnsafeMutableBufferPointer<MicrobatchSums>
  private let recordSize: Int
  /// Counts the steps of this engine, from 1.
  private var stepNumber = 0
  /// The buckets of this step whose exchange has begun.
  private var begunBuckets = 0
  private var exchangeFailure: CommunicationError?
  /// The time each rank has spent on its microbatches.
  private(set) var busyNanoseconds: [Int64]

  /// The memory of gradients, exchanges and activations, in bytes.
  let byteCount: Int

  /// What each worker did when, since ``noteTimes()``; none where there was no room asked for.
  let timelines: [Timeline]

  /// Compiles all plans and prepares all exchanges.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - network: What is trained.
  ///   - rowCounts: The numbers of rows that steps have.
  ///   - microbatches: The number of microbatches of each step.
  ///   - workerCount: The number of threads of this rank; ranks may differ.
  ///   - replica: What is updated.
  ///   - seed: The seed of the run.
  ///   - precision: What products take.
  ///   - gradientFormat: How sums of gradients are sent between groups of ranks.
  ///   - stopwatch: Told where the time goes.
  ///   - timelineCapacity: How many stretches of time of each worker can be noted; the same on all ranks.
  ///   - communicator: The ranks.
  /// - Throws: `PlanError` as an agreed failure, `CommunicationError`.
  init(
    _ network: Network, rowCounts: Set<Int>, microbatches: Int, workers workerCount: Int,
    replica: Replica, seed: UInt64, precision: RunConfiguration.Precision = .float,
    gradientFormat: GradientFormat = .float, stopwatch: Stopwatch,
    timelineCapacity: Int = 0, communicator: any Communicator
  ) throws(CommunicationError) {
    self.communicator = communicator
    timelines =
      timelineCapacity == 0
      ? [] : (0..<workerCount).map { _ in Timeline(capacity: timelineCapacity) }
    self.replica = replica
    self.seed = seed
    self.stopwatch = stopwatch
    let group = replica.group
    self.group = group
    let division = WorkDivision(groups: group.groups, microbatches: microbatches)
    self.division = division
    pool = WorkerPool(
      count: workerCount, mayNotSpin: communicator.placement.isOversubscribed)
    let cuts = rowCounts.sorted().map { MicrobatchCut(rowCount: $0, count: microbatches) }
    let trees = cuts.map { SumTree($0) }
    let count = replica.layout.count
    let recordSize =
      MemoryLayout<Header>.stride + division.largestShare * MemoryLayout<MicrobatchSums>.stride
    self.recordSize = recordSize
    let workerCounts = try communicator.allgatherIntegers(workerCount)
    let isSegmented = network.isSegmented
    func sum(
      _ tree: SumTree, _ leaves: Range<Int>
    ) -> (instructions: [SumTree.Instruction], slotCount: Int) {
      let nodes = tree.maximalNodes(in: leaves)
      return isSegmented ? tree.parallelSum(of: nodes) : tree.sequentialSum(of: nodes)
    }
    func segment(of rank: Int) -> Segment {
      Segment(
        workerCount: workerCounts[rank],
        slotCounts: (0..<workerCounts[rank]).map { worker in
          let leaves = division.leaves(of: rank, worker: worker, of: workerCounts[rank])
          return trees.reduce(1) { most, tree in
            max(most, sum(tree, leaves).slotCount)
          }
        }, recordSize: recordSize, vectorLength: count)
    }
    let segments = group.members.map(segment)
    self.segments = segments
    let own = segments[group.place]
    let memory = try group.allocate(byteCount: own.byteCount)
    self.memory = memory
    func vector(_ place: Int, _ worker: Int, _ slot: Int) -> UnsafeMutablePointer<Float> {
      memory.segments[place].pointer(
        at: segments[place].slotOffset(worker, slot), to: Float.self, count: count)
    }
    updater = StepUpdater(
      replica, pool: pool,
      sumVector: FloatBuffer(at: vector(0, 0, 0), count: count, owner: memory),
      stopwatch: stopwatch)
    var arenas: [Arena] = []
    let workers = try communicator.together {
      try (0..<workerCount).map { index in
        let leaves = division.leaves(of: communicator.rank, worker: index, of: workerCount)
        let sizes =
          isSegmented
          ? leaves.map { leaf in Set(cuts.map { $0[leaf].count }).subtracting([0]) }
          : [Set(cuts.flatMap(\.sizes))]
        let stopwatch =
          index == 0 ? stopwatch : timelineCapacity > 0 ? Stopwatch() : nil
        let hands = try sizes.map { sizes in
          let arena = Arena()
          arenas.append(arena)
          return try MicrobatchWorker(
            network, sizes: sizes, purpose: .training, parameters: replica.parameters,
            arena: arena, precision: precision, stopwatch: stopwatch)
        }
        return Worker(
          hands, firstLeaf: leaves.lowerBound, stopwatch: stopwatch,
          slots: (0..<own.slotCounts[index]).map {
            FloatBuffer(at: vector(group.place, index, $0), count: count, owner: memory)
          })
      }
    }
    self.workers = workers
    totals =
      isSegmented
      ? try TotalExchange(
        counts: workers.lazy.flatMap(\.hands).map(\.totalCounts).first { !$0.isEmpty } ?? [],
        division: division, group: group, communicator: communicator) : nil
    let staging = GradientSum.Staging(gradientFormat)
    var programs: [Int: Program] = [:]
    for (cut, tree) in zip(cuts, trees) {
      let gradientSum = try GradientSum(
        tree: tree, division: division, workerCounts: workerCounts, elements: replica.elements,
        staging: staging, communicator: communicator, slot: vector)
      programs[cut.rowCount] = Program(
        cut: cut, tree: tree,
        workers: workers.enumerated().map { index, worker in
          let leaves = division.leaves(of: communicator.rank, worker: index, of: workerCount)
          return StepEngine.program(
            sum(tree, leaves).instructions, cut: cut,
            plans: isSegmented ? nil : worker.hands[0], buckets: replica.elements.buckets)
        }, sum: gradientSum,
        total: tree.fold(
          to: tree.root,
          from: Dictionary(
            uniqueKeysWithValues: (0..<microbatches).map { (SumTree.Node(level: 0, index: $0), $0) }
          )))
    }
    self.programs = programs
    byteCount =
      arenas.reduce(0) { $0 + $1.byteCount } + own.byteCount + staging.byteCount
      + (totals?.byteCount ?? 0)
    busyNanoseconds = Array(repeating: 0, count: communicator.size)
    records = .allocate(byteCount: recordSize * communicator.size, alignment: 16)
    records.initializeMemory(as: UInt8.self, repeating: 0)
    terms = .allocate(capacity: microbatches)
    terms.initialize(repeating: .zero)
  }

  deinit {
    records.deallocate()
    terms.deallocate()
  }

  private static func program(
    _ instructions: [SumTree.Instruction], cut: MicrobatchCut, plans: MicrobatchWorker?,
    buckets: [Range<Int>]
  ) -> WorkerProgram {
    let last = instructions.lastIndex { if case .compute = $0 { true } else { false } }
    var finalCalls: [Int] = []
    var forwardCalls = 0
    if let plans, let last, case .compute(let leaf, _) = instructions[last] {
      forwardCalls = plans.forwardCallCount(rows: cut[leaf].count)
      // In order: a bucket is not begun before the one in front of it.
      var latest = 0
      for bucket in buckets {
        latest = max(latest, plans.callCount(finishing: bucket, rows: cut[leaf].count))
        finalCalls.append(latest)
      }
    }
    return WorkerProgram(
      instructions: instructions, lastCompute: last, forwardCalls: forwardCalls,
      finalCalls: finalCalls)
  }

  /// Computes this rank's microbatches and lets all ranks know of the sums over their rows.
  ///
  /// Where ranks are in several groups, sums of gradients begin to be exchanged while the last
  /// microbatch is computed.
  ///
  /// Collective. A failure on one rank is thrown on all.
  ///
  /// - Parameters:
  ///   - rowCount: The number of rows of the step.
  ///   - source: Where the rows are.
  ///   - row: The index in the source of each row of the step.
  ///   - stopIsRequested: Whether this rank was asked to stop.
  ///   - earlierFailure: What failed on this rank since the last step, if anything did.
  /// - Returns: What all ranks know of the step then.
  /// - Throws: What reading rows throws, as an agreed failure; `CommunicationError`.
  func computeMicrobatches(
    rowCount: Int, of source: some RowSource, row: (Int) -> Int, stopIsRequested: Bool,
    failure earlierFailure: (any Error)?
  ) throws(CommunicationError) -> Outcome {
    let program = program(for: rowCount)
    stepNumber += 1
    begunBuckets = 0
    let started = stopwatch.now
    for worker in workers {
      for hand in worker.hands { hand.parametersHaveChanged() }
    }
    if let totals {
      try compute(program, by: totals, of: source, row: row)
    } else {
      pool.run { index in
        compute(program, worker: index, of: source, row: row)
      }
      stopwatch.lap(.waiting)
    }
    let busy = stopwatch.now - started
    if !group.isWholeJob {
      while begunBuckets < program.sum.bucketCount {
        group.wait { isFinal(bucket: begunBuckets) }
        stopwatch.lap(.waiting)
        try begin(program)
        stopwatch.lap(.reduction)
      }
      if let exchangeFailure { throw exchangeFailure }
    }
    var failure = earlierFailure
    for worker in workers {
      failure = failure ?? worker.failure
      worker.failure = nil
    }
    record(of: group.place).storeBytes(
      of: Header(
        hasFailed: failure == nil ? 0 : 1, stopWasRequested: stopIsRequested ? 1 : 0,
        busyNanoseconds: busy), as: Header.self)
    // With one group this is all that ranks have to tell each other before the update.
    group.barrier()
    if !group.isWholeJob {
      try communicator.allgather(
        from: UnsafeRawBufferPointer(record(of: group.place)), into: records)
    }
    stopwatch.lap(.waiting)
    return try outcome(program, failure)
  }

  /// Adds the gradients of the step that was computed last and updates the parameters.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - rowCount: The number of rows of the step.
  ///   - step: How the sum of gradients changes the parameters.
  /// - Returns: The norm of the mean gradient where it is clipped by norm; if that is no finite number,
  ///   nothing was changed.
  /// - Throws: `CommunicationError`.
  func update(
    rowCount: Int, _ step: Optimizer.Step
  ) throws(CommunicationError) -> Double? {
    try updater.update(program(for: rowCount).sum, step)
  }

  /// Adds gradients by MPI_Allreduce in its own order and updates all parameters on every rank.
  ///
  /// What the exact order is measured against. The answer depends on the number of ranks.
  ///
  /// Collective; for ranks of one worker and a replica that is not sharded.
  func updateInFreeOrder(
    rowCount: Int, _ step: Optimizer.Step
  ) throws(CommunicationError) {
    let gradient = workers[0].slots[0]
    let subtrees = program(for: rowCount).tree.maximalNodes(
      in: division.leaves(of: communicator.rank))
    if subtrees.isEmpty { gradient.pointer.update(repeating: 0, count: gradient.count) }
    for slot in subtrees.indices.dropFirst() {
      FlatSum.add(
        gradient.pointer, workers[0].slots[slot].pointer, count: gradient.count)
    }
    try communicator.sumInFreeOrder(gradient.elements)
    stopwatch.lap(.reduction)
    flushingDenormals {
      replica.optimizer.clipValues(of: gradient.pointer, step, 0..<gradient.count)
    }
    _ = updater.updateAll(from: gradient.pointer, step)
  }

  private func program(for rowCount: Int) -> Program {
    guard let program = programs[rowCount] else {
      preconditionFailure("no program for steps of \(rowCount) rows")
    }
    return program
  }

  /// Notes from now on what each worker does when, in ``timelines``.
  func noteTimes() {
    stopwatch.lap(.other)
    for (worker, timeline) in zip(workers, timelines) {
      for hand in worker.hands { hand.timeline = timeline }
      worker.stopwatch?.timeline = timeline
    }
  }

  /// Notes nothing any more.
  func stopNotingTimes() {
    for worker in workers {
      for hand in worker.hands { hand.timeline = nil }
      worker.stopwatch?.timeline = nil
    }
  }

  /// The calls of plans, by the number of rows.
  var callLists: [Int: CallList] {
    workers.flatMap(\.hands).reduce(into: [:]) { $0.merge($1.callLists) { first, _ in first } }
  }

  private func record(of place: Int) -> UnsafeMutableRawBufferPointer {
    let offset = segments[place].recordOffset
    return UnsafeMutableRawBufferPointer(
      rebasing: memory.segments[place][offset..<offset + recordSize])
  }

  // MARK: One worker.

  /// The part of one worker: its microbatches, and the sums of its subtrees.
  private func compute(
    _ program: Program, worker index: Int, of source: some RowSource, row: (Int) -> Int
  ) {
    let worker = workers[index]
    let workerProgram = program.workers[index]
    if index > 0 { worker.stopwatch?.start() }
    var doneBuckets = 0
    do {
      for (place, instruction) in workerProgram.instructions.enumerated() {
        switch instruction {
        case .compute(let leaf, let slot):
          let rows = program.cut[leaf]
          let rowOfMicrobatch = { row(rows.lowerBound + $0) }
          let gradient = worker.slots[slot]
          let draws = draws(for: rows)
          guard !group.isWholeJob, place == workerProgram.lastCompute else {
            sums(of: leaf).pointee = try worker.hands[0].compute(
              rows.count, of: source, row: rowOfMicrobatch, draws: draws, gradient: gradient)
            continue
          }
          sums(of: leaf).pointee = try worker.hands[0].compute(
            rows.count, of: source, row: rowOfMicrobatch, draws: draws, gradient: gradient
          ) { calls in
            finishBuckets(
              &doneBuckets, after: calls, of: workerProgram, of: program, worker: index)
          }
        case .add(let addition):
          // The sums after the last microbatch have been made bucket by bucket.
          if !group.isWholeJob, place > workerProgram.lastCompute ?? -1 { continue }
          add(addition, of: worker, 0..<worker.slots[0].count)
          worker.stopwatch?.lap(.backward)
        }
      }
    } catch {
      worker.failure = error
    }
    // Also where nothing was computed or something failed, or the other ranks would wait.
    if !group.isWholeJob { publish(worker: index, buckets: program.sum.bucketCount) }
  }

  /// What the random numbers of some rows of this step depend on.
  func draws(for rows: Range<Int>) -> Draws {
    Draws(seed: seed, step: replica.step + 1, firstRow: rows.lowerBound)
  }

  /// Where the sums over the rows of one of this rank's microbatches go.
  func sums(of leaf: Int) -> UnsafeMutablePointer<MicrobatchSums> {
    let place = leaf - division.leaves(of: communicator.rank).lowerBound
    return record(of: group.place).pointer(
      at: MemoryLayout<Header>.stride + place * MemoryLayout<MicrobatchSums>.stride,
      to: MicrobatchSums.self, count: 1)
  }

  /// Adds the gradients of a worker whose microbatches have all been computed, and says so.
  func addAll(_ program: Program, worker index: Int) {
    let worker = workers[index]
    for case .add(let addition) in program.workers[index].instructions {
      add(addition, of: worker, 0..<worker.slots[0].count)
    }
    if !group.isWholeJob { publish(worker: index, buckets: program.sum.bucketCount) }
  }

  private func add(_ addition: SumTree.Addition, of worker: Worker, _ elements: Range<Int>) {
    FlatSum.add(
      worker.slots[addition.target].pointer + elements.lowerBound,
      worker.slots[addition.source].pointer + elements.lowerBound, count: elements.count)
  }

  /// Adds up and publishes the buckets that the last microbatch is done with, and on the calling thread
  /// lets the exchange go on.
  private func finishBuckets(
    _ done: inout Int, after calls: Int, of workerProgram: WorkerProgram, of program: Program,
    worker index: Int
  ) {
    while done < workerProgram.finalCalls.count, workerProgram.finalCalls[done] <= calls {
      if let last = workerProgram.lastCompute {
        for case .add(let addition) in workerProgram.instructions[(last + 1)...] {
          add(addition, of: workers[index], replica.elements.buckets[done])
        }
      }
      done += 1
      publish(worker: index, buckets: done)
    }
    // One thread alone calls MPI.
    guard index == 0, exchangeFailure == nil else { return }
    stopwatch.lap(calls <= workerProgram.forwardCalls ? .forward : .backward)
    do throws(CommunicationError) {
      while begunBuckets < program.sum.bucketCount, isFinal(bucket: begunBuckets) {
        try begin(program)
      }
      for bucket in 0..<begunBuckets { try program.sum.progress(bucket) }
    } catch {
      exchangeFailure = error
    }
    stopwatch.lap(.hiddenReduction)
  }

  // MARK: Buckets.

  private func begin(_ program: Program) throws(CommunicationError) {
    try flushingDenormals { () throws(CommunicationError) in
      try program.sum.begin(begunBuckets)
    }
    begunBuckets += 1
  }

  private func progressWord(_ place: Int, _ worker: Int) -> UnsafeMutablePointer<Atomic<Int>> {
    memory.segments[place].pointer(
      at: segments[place].progressOffset(worker), to: Atomic<Int>.self, count: 1)
  }

  private func publish(worker: Int, buckets: Int) {
    progressWord(group.place, worker).pointee.store(
      stepNumber * (replica.elements.buckets.count + 1) + buckets, ordering: .releasing)
  }

  /// Whether all workers of the group are done with a bucket of this step.
  private func isFinal(bucket: Int) -> Bool {
    let wanted = stepNumber * (replica.elements.buckets.count + 1) + bucket + 1
    for place in segments.indices {
      for worker in 0..<segments[place].workerCount
      where progressWord(place, worker).pointee.load(ordering: .acquiring) < wanted {
        return false
      }
    }
    return true
  }

  // MARK: What ranks tell each other.

  private func outcome(
    _ program: Program, _ failure: (any Error)?
  ) throws(CommunicationError) -> Outcome {
    var someFailed = false
    var stopWasRequested = false
    for rank in 0..<communicator.size {
      let record =
        group.isWholeJob
        ? UnsafeRawBufferPointer(record(of: rank))
        : UnsafeRawBufferPointer(
          rebasing: records[rank * recordSize..<(rank + 1) * recordSize])
      let header = record.load(as: Header.self)
      someFailed = someFailed || header.hasFailed != 0
      stopWasRequested = stopWasRequested || header.stopWasRequested != 0
      busyNanoseconds[rank] += header.busyNanoseconds
      for (place, leaf) in division.leaves(of: rank).enumerated() {
        terms[leaf] = record.load(
          fromByteOffset: MemoryLayout<Header>.stride
            + place * MemoryLayout<MicrobatchSums>.stride, as: MicrobatchSums.self)
      }
    }
    if someFailed {
      try communicator.together { if let failure { throw failure } }
    }
    return Outcome(
      sums: program.tree.sum(UnsafeBufferPointer(terms)), stopWasRequested: stopWasRequested)
  }
}

extension UnsafeMutableRawBufferPointer {
  /// The memory from an offset on as values of a type.
  func pointer<Element: ~Copyable>(
    at offset: Int, to type: Element.Type, count: Int
  ) -> UnsafeMutablePointer<Element> {
    guard let baseAddress, offset + count * MemoryLayout<Element>.stride <= self.count else {
      preconditionFailure("\(count) values at \(offset) of \(self.count) bytes")
    }
    return (baseAddress + offset).bindMemory(to: type, capacity: count)
  }
}
