// The threads of a rank: who runs what, and that none is left out however they wait.

import DataParallel
import Foundation
import Synchronization
import Testing

@Suite("Threads of a rank", .timeLimit(.minutes(5)))
struct WorkerPoolTests {
  @Test(
    "each run the work once, worker 0 on the calling thread", arguments: [1, 2, 3, 5],
    [false, true])
  func run(count: Int, mayNotSpin: Bool) {
    let pool = WorkerPool(count: count, mayNotSpin: mayNotSpin)
    #expect(pool.count == count)
    let caller = pthread_self()
    for time in 1...300 {
      // Now and then long enough for all threads to park.
      if time % 100 == 0 { usleep(2000) }
      let runs = Mutex([Int](repeating: 0, count: count))
      let isCaller = Mutex(Set<Int>())
      pool.run { worker in
        runs.withLock { $0[worker] += 1 }
        if pthread_equal(pthread_self(), caller) != 0 {
          isCaller.withLock { _ = $0.insert(worker) }
        }
      }
      let found = runs.withLock { $0 }
      for (worker, runs) in found.enumerated() where runs != 1 {
        Issue.record("worker \(worker) of \(count) ran \(runs) times, work \(time)")
        return
      }
      #expect(isCaller.withLock { $0 } == [0])
    }
  }

  @Test("have done all of it when the call returns")
  func isDone() {
    let pool = WorkerPool(count: 3)
    for time in 1...50 {
      let sum = Atomic(0)
      pool.run { worker in
        if worker == time % 3 { usleep(300) }
        sum.wrappingAdd(1 << (8 * worker), ordering: .relaxed)
      }
      #expect(sum.load(ordering: .relaxed) == 0x01_01_01)
    }
  }

  @Test("share out every element once, on borders of the alignment; few stay with the caller")
  func ranges() {
    for workers in [1, 2, 3, 4] {
      let pool = WorkerPool(count: workers)
      for (count, alignment) in [
        (0, 16), (1, 16), (32767, 16), (32768, 16), (32769, 16), (40_000, 512), (100_003, 1),
      ] {
        let found = Mutex<[(worker: Int, range: Range<Int>)]>([])
        pool.runOnRanges(of: count, alignment: alignment) { worker, range in
          found.withLock { $0.append((worker, range)) }
        }
        let parts = found.withLock { $0 }.sorted { $0.worker < $1.worker }
        var next = 0
        for part in parts {
          if part.range.lowerBound != next {
            Issue.record(
              "element \(next) of \(count) is not where worker \(part.worker) of \(workers) begins")
          }
          #expect(part.range.isEmpty || part.range.lowerBound % alignment == 0)
          next = part.range.upperBound
        }
        #expect(next == count, "\(workers) workers")
        #expect(parts.count == (count < 32768 ? 1 : workers))
      }
    }
  }

  @Test("count numbers below 2⁻¹²⁶ as zero, and leave the calling thread as it was")
  func denormals() {
    let halves = Mutex([Float](repeating: 1, count: 3))
    WorkerPool(count: 3).run { worker in
      let half = half(.leastNormalMagnitude)
      halves.withLock { $0[worker] = half }
    }
    #expect(halves.withLock { $0 } == [0, 0, 0])
    #expect(half(.leastNormalMagnitude) > 0)
  }
}

@inline(never)
private func half(_ value: Float) -> Float { value * 0.5 }
