import Drawing
import Expressions
import Graphs
import TestSupport
import Testing

@Suite("The example of the library")
struct ExampleTests {
  @Test("prints a loss, its gradient, how it trains, and a picture")
  func output() throws {
    let result = try run("Example")
    #expect(result.status == 0, "\(result)")
    // How pictures look is for the tests of drawings.
    let loss = try Formula(
      "‖W2'*tanh(W1*x + b1) + b2 - y‖^2",
      Declarations(shapes: ["x=batch,2", "y=batch", "W1=3,2", "b1=3", "W2=3"], parameters: nil))
    let picture = try draw(loss.graph, detail: .operations)
    #expect(
      result.output == """
        loss: ‖W2'*tanh(W1*x + b1) + b2 - y‖^2
        gradient with respect to W2, W1, b1, b2:
        let z1 = tanh(W1*x + b1)
        let z2 = 2*(W2'*z1 + b2 - y)
        let z3 = broadcast(reshape(z2, [batch, 1]), [batch, 3])
        let z4 = tanh_gradient(z3 .* W2, z1)
        sum(z3 .* z1, [0])
        matmul_tn(z4, x)
        sum(z4, [0])
        sum(z2, [0])
        agrees with central differences: true
        step 0: loss 3.232999
        step 50: loss 0.314815
        step 100: loss 0.004977
        step 150: loss 2.4e-05
        step 200: loss 0.0

        """ + picture)
  }
}
