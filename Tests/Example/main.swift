// A network from nothing: written with operators, differentiated, checked and trained by hand.
import Drawing
import Expressions
import Graphs
import Tensors

/// Four points of the exclusive or, which no straight line divides.
let data = [
  "x": Tensor(shape: [4, 2], values: [0, 0, 0, 1, 1, 0, 1, 1]),
  "y": Tensor(shape: [4], values: [0, 1, 1, 0]),
]

// 1. Write the squared error of a network of two layers. A row of the batch is a column x.
let (x, y) = (Term("x", [.batch, 2]), Term("y", [.batch]))
let (W1, b1) = (Term("W1", [3, 2]), Term("b1", [3]))
let (W2, b2) = (Term("W2", [3]), Term("b2"))
let hidden = tanh(W1 * x + b1)
let loss = try Formula(norm(W2.transposed * hidden + b2 - y).squared)
print("loss:", loss)

// 2. Differentiate: a gradient is a formula like any other.
let gradient = try loss.gradient()
print("gradient with respect to \(loss.parameters.joined(separator: ", ")):\n\(gradient)")

// 3. Check it against central differences before trusting it.
let check = try loss.checkGradient(batch: 4, options: GradientCheckOptions())
print("agrees with central differences:", check.passes)

// 4. Evaluate, and go down the gradient.
var values = data.merging([
  "W1": Tensor(shape: [3, 2], values: [0.9, -0.8, -0.5, 0.7, 0.3, 0.6]),
  "b1": Tensor(shape: [3], values: [0.1, -0.2, 0.3]),
  "W2": Tensor(shape: [3], values: [0.7, 0.8, -0.4]),
  "b2": Tensor(shape: [], values: [0]),
]) { $1 }
for step in 0...200 {
  if step % 50 == 0 {
    let errors = try loss.evaluate(with: values)[0].values
    print("step \(step): loss \((errors.reduce(0, +) * 1e6).rounded() / 1e6)")
  }
  for (name, slope) in zip(loss.parameters, try gradient.evaluate(with: values)) {
    guard let old = values[name] else { continue }
    let new = zip(old.values, slope.values).map { $0 - 0.05 * $1 }
    values[name] = Tensor(shape: old.shape, values: new)
  }
}

// 5. Draw it: a picture in the language of Graphviz.
print(try draw(loss.graph, detail: .operations), terminator: "")
