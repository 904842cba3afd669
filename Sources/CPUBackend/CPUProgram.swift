import Execution
import Graphs
import Numerics
import Tensors

/// A schedule as a list of bound kernels, with the memory that is its own.
///
/// One thread at a time.
final class CPUProgram: Program {
  private let group: MicrobatchGroup
  private let steps: UnsafeMutableBufferPointer<BoundStep>
  private let arena: Arena
  private let constants: FloatBuffer
  private let statistics: FloatBuffer
  private let labels: UnsafeMutablePointer<Int32>
  private let indices: UnsafeMutablePointer<UInt8>

  init(_ schedule: Schedule, steps: [BoundStep], arena: Arena) {
    group = schedule.group
    self.steps = .allocate(capacity: steps.count)
    _ = self.steps.initialize(from: steps)
    self.arena = arena
    constants = FloatBuffer(count: schedule.memory[.constants, default: 0])
    for constant in schedule.constants {
      let start = constants.pointer + constant.location.offset
      for index in 0..<constant.count {
        start[index] = Float(constant.numbers[constant.numbers.count == 1 ? 0 : index])
      }
    }
    statistics = FloatBuffer(count: schedule.memory[.statistics, default: 0])
    let labelCount = schedule.memory[.labels, default: 0]
    labels = .allocate(capacity: labelCount)
    labels.initialize(repeating: 0, count: labelCount)
    let indexCount = schedule.memory[.argmaxIndices, default: 0]
    indices = .allocate(capacity: indexCount)
    indices.initialize(repeating: 0, count: indexCount)
  }

  deinit {
    steps.deinitialize()
    steps.deallocate()
    labels.deallocate()
    indices.deallocate()
  }

  func input(at location: Location) -> UnsafeMutableRawPointer {
    location.region == .labels
      ? UnsafeMutableRawPointer(labels + location.offset)
      : UnsafeMutableRawPointer(floats(at: location))
  }

  func run(
    _ range: Range<Int>, parameters: UnsafeMutablePointer<Float>,
    gradients: GradientVectors, draws: Draws, milestones: [Int], reached: (Int) -> Void
  ) {
    let bases = Bases(
      arena: arena.base, parameters: parameters, gradient: gradients[0], gradients: gradients,
      constants: constants.pointer, statistics: statistics.pointer, labels: labels,
      indices: indices, draws: draws)
    var next = range.lowerBound
    // A milestone at the end of the steps before has been reached there.
    let first = range.lowerBound == 0 ? 0 : range.lowerBound + 1
    for milestone in milestones where milestone >= first && milestone <= range.upperBound {
      while next < milestone {
        steps[next].call(bases)
        next &+= 1
      }
      reached(milestone)
    }
    while next < range.upperBound {
      steps[next].call(bases)
      next &+= 1
    }
  }

  func value(at location: Location) -> UnsafePointer<Float> {
    UnsafePointer(floats(at: location))
  }

  func copyOut(
    _ values: [Value], ofMicrobatch microbatch: Int, into vector: UnsafeMutablePointer<Float>
  ) {
    var position = vector
    for value in values {
      let count = value.shape.fixedCount
      let part = group.part(of: value, microbatch)
      position.update(from: floats(at: part.location), count: count)
      position += count
    }
  }

  func copyIn(_ values: [Value], from vector: UnsafePointer<Float>) {
    var position = vector
    for value in values {
      let count = value.shape.fixedCount
      for microbatch in group.rows.indices {
        let part = group.part(of: value, microbatch)
        floats(at: part.location).update(from: position, count: count)
      }
      position += count
    }
  }

  /// A place in memory that is not the caller's.
  @inline(__always)
  private func floats(at location: Location) -> UnsafeMutablePointer<Float> {
    switch location.region {
    case .arena: arena.base + location.offset
    case .constants: constants.pointer + location.offset
    case .statistics: statistics.pointer + location.offset
    case .parameters, .gradient, .labels, .argmaxIndices, .roundedParameters, .roundedOperands:
      preconditionFailure("\(location) holds no floats of the program")
    }
  }
}
