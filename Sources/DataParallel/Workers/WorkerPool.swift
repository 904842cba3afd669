import Glibc
import Numerics
import Synchronization
import Tensors

/// The threads of a rank that compute microbatches: the calling thread and others that wait for work.
///
/// Waiting threads spin for some tens of microseconds, less than it takes to wake a thread, and then park.
/// One thread at a time calls ``run(_:)``.
package final class WorkerPool {
  /// The number of workers, the calling thread included.
  package let count: Int
  private let gate: Gate
  private var threads: [pthread_t] = []

  /// Starts `count − 1` threads.
  ///
  /// - Parameters:
  ///   - count: The number of workers.
  ///   - mayNotSpin: True if waiting threads would take the core from those that work.
  ///   - prepare: Called once on each of these threads; required by a backend that computes on them.
  package init(
    count: Int, mayNotSpin: Bool = false, prepare: @escaping @Sendable () -> Void = {}
  ) {
    precondition(count > 0, "\(count) workers")
    self.count = count
    gate = Gate(others: count - 1, spins: mayNotSpin ? 0 : 10_000)
    for worker in 1..<max(count, 1) {
      let context = Unmanaged.passRetained(
        ThreadContext(gate: gate, worker: worker, prepare: prepare))
      var thread = pthread_t()
      let status = pthread_create(&thread, nil, workUntilTheEnd, context.toOpaque())
      precondition(status == 0, "cannot start a thread: \(String(cString: strerror(status)))")
      threads.append(thread)
    }
  }

  deinit {
    gate.end()
    for thread in threads { pthread_join(thread, nil) }
  }

  /// Runs `body` once for each worker, at the same time, and returns when all are done.
  ///
  /// Numbers below 2⁻¹²⁶ count as zero on all of them (`flushingDenormals`).
  ///
  /// - Parameter body: Gets the number of the worker, within `0 ..< count`; 0 on the calling thread.
  /// - Complexity: a few microseconds beside the work where no thread was parked; one small allocation
  ///   if there is more than one worker.
  package func run(_ body: (_ worker: Int) -> Void) {
    flushingDenormals {
      guard count > 1 else { return body(0) }
      withoutActuallyEscaping(body) { body in
        gate.open(body)
        body(0)
        gate.wait()
      }
    }
  }
}

extension WorkerPool {
  /// Runs `body` on parts of `0 ..< count` and returns when all are done.
  ///
  /// The calling thread does all of it if that is faster than sharing.
  ///
  /// - Parameters:
  ///   - count: The number of elements.
  ///   - alignment: The multiple on which the parts begin.
  ///   - body: Gets the number of the worker and a range of elements; different ranges at the same
  ///     time.
  package func runOnRanges(
    of count: Int, alignment: Int = FlatLayout.alignment,
    _ body: (_ worker: Int, Range<Int>) -> Void
  ) {
    guard self.count > 1, count >= 32768 else {
      return flushingDenormals { body(0, 0..<count) }
    }
    let lines = (count + alignment - 1) / alignment
    run { worker in
      let part = evenPart(of: lines, owner: worker, owners: self.count)
      body(worker, part.lowerBound * alignment..<min(part.upperBound * alignment, count))
    }
  }
}

extension WorkerPool {
  /// Runs `body` on successive chunks of a range of elements, shared out as by ``runOnRanges(of:alignment:_:)``.
  ///
  /// - Parameters:
  ///   - elements: The range, whose lower bound is a multiple of the alignment.
  ///   - length: The number of elements of a chunk.
  ///   - alignment: The multiple on which the workers' parts begin.
  ///   - body: Gets the number of the worker and a chunk; different chunks at the same time.
  func runOnChunks(
    of elements: Range<Int>, length: Int, alignment: Int,
    _ body: (_ worker: Int, Range<Int>) -> Void
  ) {
    runOnRanges(of: elements.count, alignment: alignment) { worker, share in
      var start = elements.lowerBound + share.lowerBound
      let shareEnd = elements.lowerBound + share.upperBound
      while start < shareEnd {
        let end = min(start + length, shareEnd)
        body(worker, start..<end)
        start = end
      }
    }
  }
}

/// The state that the thread with work and the threads that wait for it share.
private final class Gate: @unchecked Sendable {
  private let others: Int
  /// Rises with every piece of work.
  private let generation = Atomic(0)
  private let unfinished = Atomic(0)
  private let parked = Atomic(0)
  private let callerIsParked = Atomic(false)
  private let isOver = Atomic(false)
  /// Written before `generation` rises and read after.
  private var body: ((Int) -> Void)?
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let workIsThere = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private let workIsDone = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private let spins: Int

  /// Ten thousand spins take about 30 µs.
  init(others: Int, spins: Int) {
    self.others = others
    self.spins = spins
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(workIsThere, nil)
    pthread_cond_init(workIsDone, nil)
  }

  deinit {
    pthread_cond_destroy(workIsThere)
    pthread_cond_destroy(workIsDone)
    pthread_mutex_destroy(mutex)
    workIsThere.deallocate()
    workIsDone.deallocate()
    mutex.deallocate()
  }

  func open(_ body: @escaping (Int) -> Void) {
    self.body = body
    unfinished.store(others, ordering: .relaxed)
    release()
  }

  func end() {
    isOver.store(true, ordering: .relaxed)
    release()
  }

  private func release() {
    generation.wrappingAdd(1, ordering: .sequentiallyConsistent)
    // A thread says that it is parked before it looks at the generation for the last time.
    guard parked.load(ordering: .sequentiallyConsistent) > 0 else { return }
    pthread_mutex_lock(mutex)
    pthread_cond_broadcast(workIsThere)
    pthread_mutex_unlock(mutex)
  }

  /// Waits until all other workers are done.
  func wait() {
    for _ in 0..<spins where unfinished.load(ordering: .acquiring) == 0 {
      body = nil
      return
    }
    pthread_mutex_lock(mutex)
    callerIsParked.store(true, ordering: .sequentiallyConsistent)
    while unfinished.load(ordering: .sequentiallyConsistent) > 0 {
      pthread_cond_wait(workIsDone, mutex)
    }
    callerIsParked.store(false, ordering: .sequentiallyConsistent)
    pthread_mutex_unlock(mutex)
    body = nil
  }

  /// Works until ``end()``.
  func work(as worker: Int) {
    var seen = 0
    while true {
      seen = nextGeneration(after: seen)
      if isOver.load(ordering: .relaxed) { return }
      body?(worker)
      let left = unfinished.wrappingSubtract(1, ordering: .sequentiallyConsistent).newValue
      if left == 0, callerIsParked.load(ordering: .sequentiallyConsistent) {
        pthread_mutex_lock(mutex)
        pthread_cond_signal(workIsDone)
        pthread_mutex_unlock(mutex)
      }
    }
  }

  private func nextGeneration(after seen: Int) -> Int {
    for _ in 0..<spins {
      let current = generation.load(ordering: .acquiring)
      if current != seen { return current }
    }
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    parked.wrappingAdd(1, ordering: .sequentiallyConsistent)
    defer { parked.wrappingSubtract(1, ordering: .sequentiallyConsistent) }
    while true {
      let current = generation.load(ordering: .sequentiallyConsistent)
      if current != seen { return current }
      pthread_cond_wait(workIsThere, mutex)
    }
  }
}

private final class ThreadContext {
  let gate: Gate
  let worker: Int

  let prepare: @Sendable () -> Void

  init(gate: Gate, worker: Int, prepare: @escaping @Sendable () -> Void) {
    self.gate = gate
    self.prepare = prepare
    self.worker = worker
  }
}

private func workUntilTheEnd(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  guard let context else { return nil }
  let own = Unmanaged<ThreadContext>.fromOpaque(context).takeRetainedValue()
  // Signals are for the main thread.
  var all = sigset_t()
  sigfillset(&all)
  pthread_sigmask(SIG_SETMASK, &all, nil)
  own.prepare()
  flushingDenormals { own.gate.work(as: own.worker) }
  return nil
}
