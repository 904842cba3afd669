import Execution
import Kernels

/// The memory of one thread of control on the CPU.
///
/// A workspace belongs to the thread that uses it as far as OpenMP's settings go (see `prepareThread`).
final class CPUWorkspace: Workspace {
  let preferences: BackendPreferences
  private let arena = Arena()
  private let rounding = BFloat16Operands()
  private let scratch = Scratch()

  init(_ preferences: BackendPreferences) { self.preferences = preferences }

  var byteCount: Int { arena.byteCount + rounding.byteCount + scratch.byteCount }

  func compile(_ schedule: Schedule) throws(PlanError) -> any Program {
    prepareThread()
    let arenaCount = schedule.memory[.arena, default: 0]
    arena.reserve(count: arenaCount)
    rounding.reserve(
      parameterCount: schedule.memory[.roundedParameters, default: 0],
      operandCount: schedule.memory[.roundedOperands, default: 0] / 2)
    for range in schedule.roundedParameters { try rounding.need(range) }
    let lowering = GroupLowering(
      group: schedule.group, rounding: rounding, scratch: scratch, arena: arena,
      arenaCount: arenaCount)
    var steps: [BoundStep] = []
    for step in schedule.steps { steps.append(BoundStep(call: try lowering.call(for: step))) }
    return CPUProgram(schedule, steps: steps, arena: arena)
  }

  func prepare(parameters: UnsafePointer<Float>) { rounding.round(parameters) }
}
