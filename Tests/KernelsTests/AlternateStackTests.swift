import Foundation
import Kernels
import Synchronization
import Testing

@Suite("Alternate signal stacks")
struct AlternateStackTests {
  /// The size of the calling thread's alternate stack; 0 if it has none.
  private static func byteCount() -> Int {
    var stack = stack_t()
    sigaltstack(nil, &stack)
    return stack.ss_flags & Int32(SS_DISABLE) == 0 ? stack.ss_size : 0
  }

  @Test("a thread that is made ready for kernels has one, and keeps what it had")
  func stacks() {
    let found = Mutex<[Int]>([])
    let ended = DispatchSemaphore(value: 0)
    for hasOne in [false, true] {
      Thread.detachNewThread {
        let own = UnsafeMutableRawPointer.allocate(byteCount: 1 << 17, alignment: 16)
        if hasOne {
          var stack = stack_t(ss_sp: own, ss_flags: 0, ss_size: 1 << 17)
          sigaltstack(&stack, nil)
        }
        var sizes = [AlternateStackTests.byteCount()]
        for _ in 0..<2 {
          prepareThread()
          sizes.append(AlternateStackTests.byteCount())
        }
        found.withLock { $0 += sizes }
        // Given back before its memory.
        var none = stack_t(ss_sp: nil, ss_flags: Int32(SS_DISABLE), ss_size: 0)
        sigaltstack(&none, nil)
        own.deallocate()
        ended.signal()
      }
      ended.wait()
    }
    let sizes = found.withLock { $0 }
    #expect(sizes[0] == 0)
    #expect(sizes[1] > 200_000 && sizes[2] == sizes[1])
    #expect(Array(sizes[3...]) == [1 << 17, 1 << 17, 1 << 17])
  }
}
