// Flat vectors one element after another, by the formulas as they are written down.
public import Execution
public import Numerics

/// Loops over single elements, in `Double` between one memory access and the next; knows nothing of any kernel.
public struct PlainArithmetic: FlatArithmetic {
  /// Names the loops.
  public init() {}

  /// Adds `b` to `a`.
  public func add(_ a: UnsafeMutablePointer<Float>, _ b: UnsafePointer<Float>, count: Int) {
    for i in 0..<count { a[i] += b[i] }
  }

  /// Copies `a` to `c`.
  public func copy(_ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int) {
    for i in 0..<count { c[i] = a[i] }
  }

  /// Rounds to bfloat16 and keeps what was lost.
  public func encodeBFloat16(
    _ values: UnsafePointer<Float>, residual: UnsafeMutablePointer<Float>,
    into target: UnsafeMutablePointer<UInt16>, count: Int
  ) {
    for i in 0..<count {
      let wanted = values[i] + residual[i]
      let bits = wanted.bitPattern
      let (low, high) = (bits & 0xFFFF, UInt16(bits >> 16))
      let roundsUp = low > 0x8000 || low == 0x8000 && high & 1 == 1
      target[i] = roundsUp ? high + 1 : high
      residual[i] = wanted - Float(bitPattern: UInt32(target[i]) << 16)
    }
  }

  /// Widens bfloat16 numbers.
  public func decodeBFloat16(
    _ source: UnsafePointer<UInt16>, into target: UnsafeMutablePointer<Float>, count: Int
  ) {
    for i in 0..<count { target[i] = Float(bitPattern: UInt32(source[i]) << 16) }
  }

  /// Bounds the mean gradient.
  public func clamp(
    gradient: UnsafeMutablePointer<Float>, count: Int, scale: Double, limit: Double
  ) {
    for i in 0..<count {
      let g = scale * Double(gradient[i])
      gradient[i] = Float(g > limit ? limit : g < -limit ? -limit : g)
    }
  }

  /// Takes one step of stochastic gradient descent.
  public func sgd(
    _ elements: UpdatedElements, momentum: Double?, nesterov: Bool, _ factors: UpdateFactors
  ) {
    let parameters = elements.parameters
    for i in 0..<elements.count {
      let p = Double(parameters[i])
      var g = factors.penalized(elements.gradient[i], p)
      if let momentum {
        let v = momentum * Double(elements.slot(0)[i]) + g
        elements.slot(0)[i] = Float(v)
        g = nesterov ? g + momentum * v : v
      }
      parameters[i] = Float(p - factors.learningRate * g)
    }
  }

  /// Takes one step of Adam or AdamW.
  public func adam(
    _ elements: UpdatedElements, moments: AdamMoments, decoupled: Bool, _ factors: UpdateFactors
  ) {
    let (first, second) = (elements.slot(0), elements.slot(1))
    var inGradient = factors
    if decoupled { inGradient.weightDecay = 0 }
    for i in 0..<elements.count {
      var p = Double(elements.parameters[i])
      if decoupled { p -= factors.learningRate * factors.weightDecay * p }
      moments.advance(&first[i], &second[i], by: inGradient.penalized(elements.gradient[i], p))
      p -= factors.learningRate * moments.direction(first[i], second[i])
      elements.parameters[i] = Float(p)
    }
  }

  /// Takes one step of LARS.
  public func lars(_ elements: UpdatedElements, momentum: Double, _ factors: UpdateFactors) {
    let velocity = elements.slot(0)
    for i in 0..<elements.count {
      let p = Double(elements.parameters[i])
      let g = factors.penalized(elements.gradient[i], p)
      let v = momentum * Double(velocity[i]) + factors.learningRate * g
      velocity[i] = Float(v)
      elements.parameters[i] = Float(p - v)
    }
  }

  /// Advances the moments of LAMB.
  public func lambMoments(
    ofBlock elements: UpdatedElements, _ moments: AdamMoments, _ factors: UpdateFactors
  ) -> SquareSums {
    let (first, second) = (elements.slot(0), elements.slot(1))
    var inGradient = factors
    inGradient.weightDecay = 0
    var squares = (direction: 0.0, parameters: 0.0)
    for i in 0..<elements.count {
      let p = Double(elements.parameters[i])
      moments.advance(&first[i], &second[i], by: inGradient.penalized(elements.gradient[i], p))
      let r = moments.direction(first[i], second[i]) + factors.weightDecay * p
      squares.direction += r * r
      squares.parameters += p * p
    }
    return SquareSums(direction: squares.direction, parameters: squares.parameters)
  }

  /// Moves parameters along the direction of LAMB.
  public func lamb(_ elements: UpdatedElements, _ moments: AdamMoments, _ factors: UpdateFactors) {
    let (first, second) = (elements.slot(0), elements.slot(1))
    for i in 0..<elements.count {
      let p = Double(elements.parameters[i])
      let r = moments.direction(first[i], second[i]) + factors.weightDecay * p
      elements.parameters[i] = Float(p - factors.learningRate * r)
    }
  }

  /// Takes one step of a rule by its formula.
  public func update(
    _ elements: UpdatedElements, by formula: ElementwiseFormula,
    _ numbers: ElementwiseFormula.Numbers
  ) {
    var registers = Array(repeating: 0.0, count: formula.registerCount)
    for i in 0..<elements.count {
      func value(_ place: ElementwiseFormula.Place) -> Double {
        switch place {
        case .parameters: Double(elements.parameters[i])
        case .gradient: Double(elements.gradient[i])
        case .slot(let index): Double(elements.slot(index)[i])
        case .number(let number): numbers[number]
        case .register(let index): registers[index]
        }
      }
      for step in formula.steps {
        let result = step.function.value(value(step.a), value(step.b))
        switch step.result {
        case .parameters: elements.parameters[i] = Float(result)
        case .slot(let index): elements.slot(index)[i] = Float(result)
        case .register(let index): registers[index] = result
        case .gradient, .number: preconditionFailure("\(step.result) is only read")
        }
      }
    }
  }

  /// Moves running averages towards the mean of a batch.
  public func follow(
    states: UnsafeMutablePointer<Float>, sum: UnsafePointer<Float>, count: Int, momentum: Double,
    scale: Double
  ) {
    for i in 0..<count {
      states[i] = Float(
        (1 - momentum) * Double(states[i]) + momentum * (scale * Double(sum[i])))
    }
  }

  /// Moves an average towards the parameters.
  public func average(
    _ average: UnsafeMutablePointer<Float>, parameters: UnsafePointer<Float>, count: Int,
    decay: Double
  ) {
    for i in 0..<count {
      let a = Double(average[i])
      average[i] = Float(a + (1 - decay) * (Double(parameters[i]) - a))
    }
  }

  /// Returns the sum of the squares of a part of one block.
  public func sumOfSquares(ofBlock a: UnsafePointer<Float>, count: Int) -> Double {
    (0..<count).reduce(0) { $0 + Double(a[$1]) * Double(a[$1]) }
  }

  /// Writes the softmax of each row of scores.
  public func softmax(
    _ a: UnsafePointer<Float>, rows: Int, columns: Int, into c: UnsafeMutablePointer<Float>
  ) {
    for row in 0..<rows {
      let scores = (0..<columns).map { Double(a[row * columns + $0]) }
      let largest = scores.max() ?? 0
      let powers = scores.map { Elementary.exp($0 - largest) }
      let sum = powers.reduce(0, +)
      for column in 0..<columns { c[row * columns + column] = Float(powers[column] / sum) }
    }
  }

  /// Returns true if every element is finite.
  public func isFinite(_ a: UnsafePointer<Float>, count: Int) -> Bool {
    (0..<count).allSatisfy { a[$0].isFinite }
  }
}

extension ElementwiseFormula.Function {
  fileprivate func value(_ a: Double, _ b: Double) -> Double {
    switch self {
    case .add: a + b
    case .subtract: a - b
    case .multiply: a * b
    case .divide: a / b
    case .maximum: max(a, b)
    case .squareRoot: a.squareRoot()
    case .absolute: abs(a)
    case .sign: a > 0 ? 1 : a < 0 ? -1 : 0
    }
  }
}

extension UpdateFactors {
  /// `scale·g + decay·p + l1·sign(p)`.
  fileprivate func penalized(_ g: Float, _ p: Double) -> Double {
    let sign: Double = p > 0 ? 1 : p < 0 ? -1 : 0
    return gradientScale * Double(g) + weightDecay * p + l1 * sign
  }
}

extension AdamMoments {
  fileprivate func advance(_ m: inout Float, _ v: inout Float, by g: Double) {
    m = Float(Double(m) + (1 - beta1) * (g - Double(m)))
    v = Float(beta2 * Double(v) + (1 - beta2) * g * g)
  }

  /// `m/(1 − β₁ᵗ) / (√v/√(1 − β₂ᵗ) + ε)`.
  fileprivate func direction(_ m: Float, _ v: Float) -> Double {
    func power(_ base: Double) -> Double { (0..<step).reduce(1) { product, _ in product * base } }
    let divisor = (Double(v) / (1 - power(beta2))).squareRoot() + epsilon
    return Double(m) / (1 - power(beta1)) / divisor
  }
}
