// The trace of a run: times of steps, phases and calls.

import TestSupport
import Testing
import Training

@Suite("Trace of a run")
struct TraceTests {
  @Test("has the first steps, phases without gaps, and calls within phases; it changes no bit")
  func events() throws {
    let folder = try RunFolder()
    let path = try folder.write(
      """
      data: { train: \(bundled("iris")), test: \(bundled("iris-test")) }
      model: [affine: 8, tanh, affine: 3]
      batch_size: 32
      microbatches: 6
      epochs: 2
      run: { workers: 2 }

      """)
    let file = folder.path("trace.json")
    try folder.train(path, to: "traced", trace: TraceRequest(path: file, stepCount: 5))
    try folder.train(path)
    #expect(try folder.digest() == folder.digest("traced"))
    let events = try TraceEvents(file).complete
    #expect(events.filter { $0.category == "step" }.map(\.name) == (1...5).map { "step \($0)" })
    for thread in 0..<2 {
      let own = events.filter { $0.thread == thread }
      let phases = own.filter { $0.category == "phase" }
      let calls = own.filter { ["forward", "backward"].contains($0.category) }
      #expect(calls.contains { $0.name.hasPrefix("affine1: ") })
      for call in calls {
        let holder = phases.filter {
          $0.start <= call.start + 0.01
            && call.start + call.duration <= $0.start + $0.duration + 0.01
        }
        #expect(holder.map(\.name) == [call.category], "\(call)")
      }
      guard thread == 0 else { continue }
      for (phase, next) in zip(phases, phases.dropFirst()) {
        #expect(abs(phase.start + phase.duration - next.start) < 0.01)
      }
    }
  }
}
