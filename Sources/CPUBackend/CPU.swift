public import Execution
import Graphs
import Kernels

/// The CPU: kernels of ours; products and convolutions of bfloat16 operands by oneDNN.
public struct CPU: Backend {
  /// Names the CPU.
  public init() {}

  /// Returns true if this CPU and the library have products of such operands.
  public func supports(_ precision: OperandPrecision) -> Bool {
    precision == .float || BFloat16Matmul.isSupported
  }

  /// The preferences for a precision.
  public func preferences(for precision: OperandPrecision) -> BackendPreferences {
    var preferences = BackendPreferences()
    preferences.putsChannelsLast = true
    // Gradients of these need only their outputs.
    preferences.fusedActivations = [.relu, .sigmoid, .tanh]
    preferences.largestIndexedWindow = ImageWindow.indexLimit
    preferences.indexAlignment = ImageWindow.indexAlignment
    preferences.chains = BackendPreferences.Chains(
      blockLength: ElementPass.blockLength, longestRow: ElementPass.longestRow)
    preferences.computesLossesWithGradients = true
    if precision == .bfloat16 {
      // Smaller products take about a microsecond with 64 rows, and the library is slow at those of one column.
      preferences.roundedProducts = BackendPreferences.RoundedProducts(
        leastMultiplyAdds: 1 << 10, leastColumns: 2)
      if BFloat16Rows.areIndependent {
        preferences.independentProducts.insert(.bfloat16)
        preferences.independentConvolutions.insert(.bfloat16)
      }
    }
    return preferences
  }

  /// The vector kernels.
  public var arithmetic: any FlatArithmetic { CPUArithmetic() }

  /// Gives the thread one thread of oneDNN and an alternate signal stack.
  public func prepareThread() { Kernels.prepareThread() }

  /// Makes an arena, with room for rounded operands if there will be such.
  public func makeWorkspace(_ precision: OperandPrecision) -> any Workspace {
    CPUWorkspace(preferences(for: precision))
  }
}
