// Several elementwise operations as one pass, built once for each instruction set.

package import VectorKernels

extension Implementation {
  package static func run(
    _ steps: UnsafePointer<ElementStep>, stepCount: Int, _ places: UnsafePointer<ElementPlace>,
    count: Int, block: Int
  ) {
    var start = 0
    while start < count {
      let length = min(block, count &- start)
      for index in 0..<stepCount {
        let step = steps[index]
        let a = pointer(places[step.a], start)
        let c = pointer(places[step.c], start)
        switch step.code {
        case .scale: scale(a, by: Float(step.number), into: c, count: length)
        case .exp: exp(a, into: c, count: length)
        case .expm1: expm1(a, into: c, count: length)
        case .log1p: log1p(a, into: c, count: length)
        case .softplus: softplus(a, into: c, count: length)
        case .cap: cap(a, at: Float(step.number), into: c, count: length)
        case .log: log(a, into: c, count: length)
        case .square: square(a, into: c, count: length)
        case .sigmoid: sigmoid(a, into: c, count: length)
        case .tanh: tanh(a, into: c, count: length)
        case .relu: relu(a, into: c, count: length)
        case .sqrt: sqrt(a, into: c, count: length)
        case .abs: abs(a, into: c, count: length)
        case .sign: sign(a, into: c, count: length)
        case .erf: erf(a, into: c, count: length)
        case .power: power(a, step.number, into: c, count: length)
        case .add: add(a, pointer(places[step.b], start), into: c, count: length)
        case .subtract: subtract(a, pointer(places[step.b], start), into: c, count: length)
        case .multiply: multiply(a, pointer(places[step.b], start), into: c, count: length)
        case .divide: divide(a, pointer(places[step.b], start), into: c, count: length)
        case .maximum: maximum(a, pointer(places[step.b], start), into: c, count: length)
        case .reluGradient:
          reluGradient(a, output: pointer(places[step.b], start), into: c, count: length)
        case .sigmoidGradient:
          sigmoidGradient(a, output: pointer(places[step.b], start), into: c, count: length)
        case .tanhGradient:
          tanhGradient(a, output: pointer(places[step.b], start), into: c, count: length)
        }
      }
      start &+= block
    }
  }

  @inline(__always)
  private static func pointer(_ place: ElementPlace, _ start: Int) -> UnsafeMutablePointer<Float> {
    place.isWhole ? place.pointer + start : place.pointer
  }

  private static func divide(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>,
    count: Int
  ) { forEachLanes(a, b, into: c, count: count) { $0 / $1 } }

  private static func maximum(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>,
    count: Int
  ) {
    let half = Lanes(repeating: 0.5)
    forEachLanes(a, b, into: c, count: count) { a, b in
      // Equal, or not numbers.
      let rest = a * half + b * half
      return Lanes.choose(
        b, where: a, isBelow: b, else: Lanes.choose(a, where: b, isBelow: a, else: rest))
    }
  }
}
