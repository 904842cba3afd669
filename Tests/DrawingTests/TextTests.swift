import Drawing
import Graphs
import Models
import Tensors
import TestSupport
import Testing

@Suite("Drawings in characters")
struct TextTests {
  @Test("a squared error as a chain of arrays")
  func tensorChain() throws {
    let (graph, _) = try squaredError()
    #expect(
      try DrawnGraph(graph).text(detail: .tensor) == """
        ┌───────────┐
        │ x         │
        │ batch × 2 │
        └──┬────────┘
           │
        ╭──▼────────╮
        │ x · Wᵀ    │ ◄── W  1 × 2
        │ batch × 1 │
        ╰──┬────────╯
           │
        ╭──▼────────╮
        │ □ + b     │ ◄── b  1
        │ batch × 1 │
        ╰──┬────────╯
           │
        ╭──▼────────╮
        │ □ − y     │ ◄── y  batch × 1
        │ batch × 1 │
        ╰──┬────────╯
           │
        ╭──▼────╮
        │ ‖□‖²  │
        │ batch │
        ╰───────╯

        """)
  }

  @Test("a graph that is no chain as a tree of arrays")
  func tensorTree() throws {
    var graph = Graph()
    let x = try graph.data("x", shape: [.batch, 2])
    let W = try graph.parameter("W", shape: [2, 2])
    _ = try graph.add(.multiply, [graph.relu(x), graph.matmul(x, W)])
    #expect(
      try DrawnGraph(graph).text(detail: .tensor) == """
        u ⊙ v  batch × 2
        ├─ u: relu(x)  batch × 2
        │  └─ x  data  batch × 2  (1)
        └─ v: x · W  batch × 2
           ├─ x  ↑ (1)
           └─ W  parameter  2 × 2

        """)
  }

  @Test("a squared error as a tree of numbers")
  func scalarTree() throws {
    let (graph, _) = try squaredError()
    #expect(
      try DrawnGraph(graph).text(detail: .scalar) == """
        □²
        └─ −
           ├─ +
           │  ├─ +
           │  │  ├─ ×
           │  │  │  ├─ x₁  data
           │  │  │  └─ W₁₁  parameter
           │  │  └─ ×
           │  │     ├─ x₂  data
           │  │     └─ W₁₂  parameter
           │  └─ b₁  parameter
           └─ ⊸ y₁  data

        """)
  }

  @Test("a gradient, with nodes that are drawn before")
  func gradientTree() throws {
    var graph = Graph()
    let x = try graph.data("x", shape: [.batch])
    let w = try graph.parameter("theta1", shape: [])
    let loss = try graph.add(.square, [graph.add(.multiply, [x, w])])
    let drawn = try DrawnGraph(graph, gradientOf: loss)
    #expect(
      try drawn.text(detail: .operations)
        == """
        □²  batch  Σ = L  
        └─ x ⊙ θ₁  batch  (1)
           └─ x  data  batch  (2)
        Σ(□)  number  = ∂L/∂θ₁
        └─ □ ⊙ x  batch
           ├─ 2 · □  batch
           │  └─ x ⊙ θ₁  ↑ (1)
           └─ x  ↑ (2)

        """.replacing("L  \n", with: "L\n"))
  }

  @Test("layers as boxes below each other")
  func layerBoxes() throws {
    #expect(
      try DrawnGraph(network(3, [4, 2])).text(detail: .layers) == """
        ┌─────────┐
        │ samples │
        └──┬──────┘
           │ batch × 3
        ╭──▼─────────────────╮
        │ affine1            │
        │ samples · W₁ᵀ + b₁ │
        │ 16 parameters      │
        ╰──┬─────────────────╯
           │ batch × 4
        ╭──▼──────╮
        │ relu1   │
        │ relu(□) │
        ╰──┬──────╯
           │ batch × 4
        ╭──▼────────────╮
        │ affine2       │
        │ □ · W₂ᵀ + b₂  │
        │ 10 parameters │
        ╰──┬────────────╯
           │ batch × 2
        ╭──▼──────────────────────────╮
        │ loss  softmax cross entropy │ ◄── targets  batch
        │ −log softmax(□)[targets]    │
        ╰─────────────────────────────╯

        """)
  }

  @Test("columns of circles, wide ones without their middle")
  func columns() throws {
    #expect(
      try DrawnGraph(network(3, [400, 2])).text(detail: .network) == """
                          ○
           ○              ○
           ○    ── W₁ ──  ○   ── W₂ ──   ○    ── softmax cross entropy
           ○              ⋮              ○
                          ○
                          ○
           3             400             2
        samples          relu          linear

        """)
  }

  @Test("one line for a network, a plain graph, and with its gradient")
  func summary() throws {
    let network = try network(64, [256, 10])
    #expect(
      DrawnGraph(network).summary
        == "64 → 256 relu → 10 → softmax cross entropy; 19,210 parameters in 4 arrays; 6 operations"
    )
    #expect(
      DrawnGraph(network, showsGradient: true).summary.hasSuffix(
        "13 operations, 8 of them backward"))
    var graph = Graph()
    _ = try graph.add(.exp, [graph.data("x", shape: [.batch])])
    #expect(DrawnGraph(graph).summary == "0 parameters in 0 arrays; 1 operation")
  }

  @Test(
    "names are set as mathematics",
    arguments: [
      ("theta1", "θ₁"), ("x12", "x₁₂"), ("x_hat", "x_hat"), ("alpha", "α"), ("relu1", "relu1"),
      ("θ", "θ"), ("affine2/weight", "W₂"), ("out/bias", "b_out"), ("1", "1"), ("_", "_"),
      ("a/b/c", "a/b/c"), ("Δ3", "Δ₃"), ("/", "/"), ("", ""),
    ])
  func names(name: String, expected: String) throws {
    var graph = Graph()
    _ = try graph.data(name, shape: [2])
    #expect(Naming(graph).text(name).plain == expected)
  }

  @Test("two leaves never share a symbol")
  func distinctSymbols() throws {
    var graph = Graph()
    let names = ["affine1/weight", "conv1/weight", "x1", "x_1"]
    for name in names { _ = try graph.parameter(name, shape: [2]) }
    let naming = Naming(graph)
    #expect(names.map { naming.text($0).plain } == ["W_affine1", "W_conv1", "x1", "x_1"])
  }

  @Test(
    "numbers are short",
    arguments: [
      (0, "0"), (-0.0, "0"), (2, "2"), (-1, "−1"), (0.5, "0.5"), (1.0 / 3, "0.3333"),
      (-123.456789, "−123.5"), (1e-9, "1e−9"),
      (6.02214076e23, "6.022e23"),
      (.infinity, "inf"), (1e6, "1e6"),
    ] as [(Double, String)])
  func numbers(value: Double, expected: String) {
    #expect(numberText(value) == expected)
  }
}
