// From a chain of elementwise operations to the pass that computes it.
import Execution
import Graphs
import Kernels
import Tensors

extension Lowering {
  /// The pass that computes a chain of so many elements.
  func chain(_ chain: Chain, count: Int) -> Call {
    let places = chain.places.map { position -> BlockedPass.Place in
      switch position {
      case .whole(let value): return .whole(value.location)
      case .repeated(let value, let slot):
        return .repeated(value.location, count: shape(value).count, slot: slot)
      case .slot(let slot): return .slot(slot)
      }
    }
    let steps = chain.links.map { link in
      guard case .element(let element)? = kernel(of: link.operation) else {
        preconditionFailure("\(link.operation.label) in a chain")
      }
      return ElementStep(
        element.code, number: element.number, a: link.operands[0],
        b: link.operands[link.operands.count - 1], c: link.result)
    }
    let pass = BlockedPass(
      steps, places: places, count: count, block: chain.blockLength, scratch: chain.scratch)
    return { pass.run($0) }
  }
}
