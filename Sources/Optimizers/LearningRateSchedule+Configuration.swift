// Schedules as configurations write them.
package import Configuration

extension LearningRateSchedule {
  /// Reads the key `schedule`.
  package static func read(from root: Section) throws(ConfigurationError) -> LearningRateSchedule {
    try root.oneOf(
      "schedule",
      [
        alternative("constant", meaning: "the same in all steps") {
          (_) throws(ConfigurationError) in .constant
        },
        alternative("cosine", primary: "epochs", meaning: "down along half a cosine") {
          (section) throws(ConfigurationError) in
          .cosine(epochs: try readHorizon(section), last: try readLast(section))
        },
        alternative("linear", primary: "epochs", meaning: "down along a line") {
          (section) throws(ConfigurationError) in
          .linear(epochs: try readHorizon(section), last: try readLast(section))
        },
        alternative("polynomial", primary: "epochs", meaning: "down along the power of a line") {
          (section) throws(ConfigurationError) in
          .polynomial(
            epochs: try readHorizon(section),
            power: try section.number(
              "power", default: 1, in: .positive, meaning: "power of what is left of the line"),
            last: try readLast(section))
        },
        alternative("exponential", primary: "factor", meaning: "times a factor in every epoch") {
          (section) throws(ConfigurationError) in
          .exponential(
            factor: try section.number(
              "factor", in: .between(1e-9, 1), meaning: "factor of an epoch, reached smoothly"))
        },
        alternative("step", primary: "epochs", meaning: "times a factor every so many epochs") {
          (section) throws(ConfigurationError) in
          .step(
            epochs: try section.number(
              // Changes are counted one by one.
              "epochs", in: .between(0.01, 1e9), meaning: "epochs from one change to the next"),
            factor: try readFactor(section))
        },
        alternative("multi_step", primary: "epochs", meaning: "times a factor after some epochs") {
          (section) throws(ConfigurationError) in
          .multiStep(
            epochs: try section.numbers(
              "epochs", in: .positive, counts: 1...1000, meaning: "epochs after which it changes"
            ).sorted(), factor: try readFactor(section))
        },
        alternative("one_cycle", primary: "epochs", meaning: "up to the learning rate, then down") {
          (section) throws(ConfigurationError) in .oneCycle(try readCycle(section))
        },
        alternative("plateau", meaning: "times a factor when evaluations no longer improve") {
          (section) throws(ConfigurationError) in .plateau(try Plateau.read(section))
        },
      ], default: "constant", meaning: "how the learning rate changes")
  }

  /// A shape by its name, with the key of the warm-up before it.
  private static func alternative(
    _ name: String, primary: String? = nil, meaning: String,
    read: @escaping @Sendable (Section) throws(ConfigurationError) -> Shape
  ) -> Alternative<LearningRateSchedule> {
    Alternative(name, primary: primary, meaning: meaning) {
      (section) throws(ConfigurationError) in
      let shape = try read(section)
      let warmup = try section.number(
        "warmup", default: 0, in: .nonNegative,
        meaning: "epochs of a first rise from 0, by which the curve is multiplied")
      return LearningRateSchedule(shape, warmupEpochs: warmup)
    }
  }

  private static func readHorizon(_ section: Section) throws(ConfigurationError) -> Double {
    try section.number("epochs", in: .positive, meaning: "epochs until the last factor")
  }

  private static func readLast(_ section: Section) throws(ConfigurationError) -> Double {
    try section.number(
      "last", default: 0, in: .between(0, 1), meaning: "last factor of the learning rate")
  }

  private static func readFactor(_ section: Section) throws(ConfigurationError) -> Double {
    try section.number(
      "factor", default: 0.1, in: .between(0, 1), meaning: "factor of each change")
  }

  private static func readCycle(_ section: Section) throws(ConfigurationError) -> OneCycle {
    OneCycle(
      epochs: try section.number("epochs", in: .positive, meaning: "epochs of the whole cycle"),
      rise: try section.number(
        "rise", default: 0.3, in: .between(0, 1), meaning: "share of the cycle that goes up"),
      first: try section.number(
        "first", default: 0.04, in: .between(0, 1), meaning: "factor of the first step"),
      last: try section.number(
        "last", default: 4e-6, in: .between(0, 1), meaning: "factor of the last step and after it"
      ),
      isLinear: try section.value(
        "anneal", [.word("cosine", false), .word("linear", true)], default: .string("cosine"),
        meaning: "the way up and down: half a cosine, or a line"))
  }
}
