import Glibc

/// The events of one thread in time: phases, and the calls of plans within them, up to a fixed number.
///
/// A thread has a timeline only while it is traced. One thread at a time writes, and nobody reads until it
/// has finished.
package final class Timeline {
  /// The purpose of a stretch of time.
  package enum Activity: Equatable {
    /// A phase; those of a thread follow one another without gaps.
    case phase(Timing.Phase)
    /// A call of a plan, by its number in one of the thread's lists.
    case call(Int32, list: Int32)
    /// A whole step.
    case step(Int)
  }

  /// A stretch of time, in nanoseconds of the clock that only goes forward.
  package struct Event {
    package let start: Int64
    package fileprivate(set) var end: Int64
    package let activity: Activity
  }

  private let events: UnsafeMutableBufferPointer<Event>
  /// The number of events.
  package private(set) var count = 0
  private var lastCall: Int64 = 0

  /// Reserves room for a number of events; later ones are dropped.
  package init(capacity: Int) { events = .allocate(capacity: capacity) }

  deinit { events.deallocate() }

  /// The largest number of events.
  package var capacity: Int { events.count }

  package subscript(index: Int) -> Event {
    precondition(index < count, "event \(index) of \(count)")
    return events[index]
  }

  /// Records a stretch of time; a phase that continues the last event extends it.
  package func add(_ activity: Activity, from start: Int64, to end: Int64) {
    if count > 0, events[count - 1].activity == activity, events[count - 1].end == start {
      events[count - 1].end = end
      return
    }
    guard count < events.count else { return }
    events.initializeElement(at: count, to: Event(start: start, end: end, activity: activity))
    count += 1
  }

  /// Marks the beginning of the next call of a plan.
  func beginCall() { lastCall = Timeline.now }

  /// Records a call of a plan, from the end of the last one or from ``beginCall()``.
  func endCall(_ call: Int, list: Int) {
    let now = Timeline.now
    add(.call(Int32(call), list: Int32(list)), from: lastCall, to: now)
    lastCall = now
  }

  /// Nanoseconds of a clock that only goes forward.
  package static var now: Int64 { nanoseconds(CLOCK_MONOTONIC) }

  /// The offset from ``now`` to nanoseconds since 1970, which the clocks of several hosts share.
  package static var epoch: Int64 { nanoseconds(CLOCK_REALTIME) &- now }

  private static func nanoseconds(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
  }
}

/// The labels of a plan's calls, in order, and the number of those that are forward.
package struct CallList {
  package let labels: [String]
  package let forwardCount: Int
}
