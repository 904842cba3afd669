// The profile of a step, as a table for people.
import Benchmarks
import DataParallel
import Training

/// Returns the lines of a profile: the phases, and below forward and backward their calls and the rest.
func profileLines(_ profile: StepProfile) -> [String] {
  let step = max(profile.step.seconds, 1e-12)
  func row(_ name: String, _ seconds: Double, _ count: Double? = nil) -> [String] {
    [
      name, formatted(seconds * 1e6, digits: 1), formatted(100 * seconds / step, digits: 1),
      count.map { formatted($0, significant: 4) } ?? "",
    ]
  }
  var rows = [["phase or call", "µs", "%", "calls"]]
  for (phase, time) in profile.phases where time > .zero {
    rows.append(row(phase.word, time.seconds))
    let calls = profile.calls.filter { $0.phase == phase }
    for call in calls { rows.append(row("  " + call.label, call.time.seconds, call.count)) }
    if !calls.isEmpty {
      let rest = time.seconds - calls.reduce(0) { $0 + $1.time.seconds }
      rows.append(row("  sums of rows and gradients", rest))
    }
  }
  rows.append(row("sum of the phases", profile.total.seconds))
  return [
    "\(counted(profile.stepCount, "step")) of "
      + "\(formatted(step * 1000, significant: 4)) ms on the wall, the clock read after every call"
  ] + table(rows, rightAligned: [1, 2, 3])
}
