import Glibc

/// What one thread did when: phases, and the calls of plans within them, as far as there is room.
///
/// Where nobody looks there is no timeline, and nothing is noted. One thread at a time writes; reading is for when
/// it is done.
package final class Timeline {
  /// What a stretch of time was for.
  package enum Activity: Equatable {
    /// A phase; those of a thread follow one another without gaps.
    case phase(Timing.Phase)
    /// A call of the plan for `rows` rows.
    case call(Int32, rows: Int32)
    /// A whole step.
    case step(Int)
  }

  /// A stretch of time, in nanoseconds of the clock that only goes forward.
  package struct Event {
    package let start: Int64
    package var end: Int64
    package let activity: Activity
  }

  private let events: UnsafeMutableBufferPointer<Event>
  /// The number of events.
  package private(set) var count = 0
  private var lastCall: Int64 = 0

  /// Reserves room for a number of events; what comes after them is not noted.
  package init(capacity: Int) { events = .allocate(capacity: capacity) }

  deinit { events.deallocate() }

  /// The number of events there is room for.
  package var capacity: Int { events.count }

  package subscript(index: Int) -> Event {
    precondition(index < count, "event \(index) of \(count)")
    return events[index]
  }

  /// Notes a stretch of time; a phase that goes on where the last one ended is one with it.
  package func add(_ activity: Activity, from start: Int64, to end: Int64) {
    if count > 0, events[count - 1].activity == activity, events[count - 1].end == start {
      events[count - 1].end = end
      return
    }
    guard count < events.count else { return }
    events.initializeElement(at: count, to: Event(start: start, end: end, activity: activity))
    count += 1
  }

  /// Says that the next call of a plan begins now.
  package func beginCall() { lastCall = Timeline.now }

  /// Notes a call of the plan for `rows` rows, since the last one ended or ``beginCall()``.
  package func endCall(_ call: Int, rows: Int) {
    let now = Timeline.now
    add(.call(Int32(call), rows: Int32(rows)), from: lastCall, to: now)
    lastCall = now
  }

  /// Nanoseconds of a clock that only goes forward.
  package static var now: Int64 { nanoseconds(CLOCK_MONOTONIC) }

  /// What turns ``now`` into nanoseconds since 1970, which clocks of several hosts have in common.
  package static var epoch: Int64 { nanoseconds(CLOCK_REALTIME) &- now }

  private static func nanoseconds(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
  }
}

/// What the calls of a plan compute, in order, and how many of them are forward.
package struct CallList {
  package let labels: [String]
  package let forwardCount: Int
}
