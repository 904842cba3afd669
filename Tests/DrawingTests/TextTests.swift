import Drawing
import Graphs
import Models
import NNDist
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
        □²  batch  L = Σ rows
        └─ x · θ₁  batch  (1)
           └─ x  data  batch  (2)
        Σ(□)  = ∂L/∂θ₁
        └─ □ · x  batch
           ├─ 2 · □  batch
           │  └─ x · θ₁  ↑ (1)
           └─ x  ↑ (2)

        """)
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

  @Test("layers that are no chain as a tree; parameters behind a reshape are counted")
  func layerTree() throws {
    let window = Layer.SlidingWindow(axisCount: 2, kernel: [3], padding: [1])
    let convolution = Layer.Convolution(channels: 2, window: window)
    let block = Layer(
      repeating: [Layer(convolution, name: "c"), Layer(.add, from: ["input", "c"])], times: 2,
      name: "block")
    let network = try Network(
      layers: [
        Layer(convolution, name: "stem"), block, .affine(3, name: "a"), .affine(3),
        .affine(3, sharing: "affine2"),
      ], loss: .softmaxCrossEntropy, sampleShape: [1, 4, 4], targets: .labels)
    #expect(
      try DrawnGraph(network).text(detail: .layers) == """
        loss  softmax cross entropy  −log softmax(□)[targets]
        ├─ batch × 3: affine3  □ · W₂ᵀ + b₂
        │  └─ batch × 3: affine2  □ · W₂ᵀ + b₂  12 parameters
        │     └─ batch × 3: a  affine  reshape(□) · W_aᵀ + b_a  99 parameters
        │        └─ batch × 2 × 4 × 4: block.2.add1  add  u + v
        │           ├─ batch × 2 × 4 × 4: block.1.add1  add  u + v  (1)
        │           │  ├─ batch × 2 × 4 × 4: stem  conv2d  samples ∗ W_stem + b_stem  20 parameters  (2)
        │           │  │  └─ batch × 1 × 4 × 4: samples  data
        │           │  └─ batch × 2 × 4 × 4: block.1.c  conv2d  □ ∗ W_block.1.c + b_block.1.c  38 parameters
        │           │     └─ batch × 2 × 4 × 4: stem  conv2d  ↑ (2)
        │           └─ batch × 2 × 4 × 4: block.2.c  conv2d  □ ∗ W_block.2.c + b_block.2.c  38 parameters
        │              └─ batch × 2 × 4 × 4: block.1.add1  add  ↑ (1)
        └─ batch: targets  data

        """)
  }

  @Test("layers of a graph without layers are told from what it computes")
  func inferredLayers() throws {
    var graph = Graph()
    let x = try graph.data("x", shape: [.batch, 3])
    let h = try graph.relu(
      graph.affine(
        x, weight: graph.parameter("W1", shape: [4, 3]), bias: graph.parameter("b1", shape: [4])))
    let z = try graph.affine(h, weight: graph.parameter("W2", shape: [2, 4]))
    let y = try graph.data("y", shape: [.batch, 2])
    let loss = try graph.squaredNorm(graph.add(.subtract, [z, y]))
    #expect(
      try DrawnGraph(graph).text(detail: .layers) == """
        ┌───────┐
        │ x     │
        └──┬────┘
           │ batch × 3
        ╭──▼────────────╮
        │ affine1       │
        │ x · W₁ᵀ + b₁  │
        │ 16 parameters │
        ╰──┬────────────╯
           │ batch × 4
        ╭──▼──────╮
        │ relu1   │
        │ relu(□) │
        ╰──┬──────╯
           │ batch × 4
        ╭──▼───────────╮
        │ affine2      │
        │ □ · W₂ᵀ      │
        │ 8 parameters │
        ╰──┬───────────╯
           │ batch × 2
        ╭──▼───────╮
        │ loss     │ ◄── y  batch × 2
        │ ‖□ − y‖² │
        ╰──────────╯

        """)
    let backward = try DrawnGraph(graph, gradientOf: loss).text(detail: .layers)
    #expect(
      backward == """
        loss  ‖□ − y‖²  L = Σ rows  (1)
        ├─ batch × 2: affine2  □ · W₂ᵀ  8 parameters
        │  └─ batch × 4: relu1  relu(□)  (2)
        │     └─ batch × 4: affine1  x · W₁ᵀ + b₁  16 parameters
        │        └─ batch × 3: x  data  (3)
        └─ batch × 2: y  data
        affine2 backward  = ∂L/∂W₂  (4)
        ├─ batch × 2: loss backward
        │  └─ loss  ↑ (1)
        └─ relu1  ↑ (2)
        affine1 backward  = ∂L/∂W₁  = ∂L/∂b₁
        ├─ batch × 4: relu1 backward
        │  ├─ batch × 4: affine2 backward  ↑ (4)
        │  └─ relu1  ↑ (2)
        └─ x  ↑ (3)

        """)
  }

  @Test("axes of length 1 come and go without boxes, and a result in another shape is one box")
  func relabelling() throws {
    var graph = Graph()
    let x = try graph.data("x", shape: [3])
    let W = try graph.parameter("W", shape: [2, 3])
    let row = try graph.reshape(x, to: [1, 3])
    _ = try graph.reshape(graph.matmul(row, W, transposingRHS: true), to: [2])
    #expect(
      try DrawnGraph(graph).text(detail: .tensor) == """
        ┌───────┐
        │ x     │
        │ 3     │
        └──┬────┘
           │
        ╭──▼─────╮
        │ x · Wᵀ │ ◄── W  2 × 3
        │ 2      │
        ╰────────╯

        """)
  }

  @Test("a sum of numbers times weights is two columns; an inner product is one unit")
  func weightedSums() throws {
    var graph = Graph()
    var products: [Graph.Node] = []
    for place in 1...2 {
      products.append(
        try graph.add(
          .multiply,
          [
            graph.data("x\(place)", shape: [.batch]),
            graph.parameter("theta\(place)", shape: []),
          ]))
    }
    let y = try graph.data("y", shape: [.batch])
    let residual = try graph.add(.subtract, [graph.add(.add, products), y])
    _ = try graph.add(.square, [residual])
    let drawn = DrawnGraph(graph)
    #expect(drawn.summary == "2 → 1 → (ŷ − y)²; 2 parameters in 2 arrays; 5 operations")
    let svg = try drawn.networkSVG()
    #expect(svg.contains("θ</tspan>₁</text>") && svg.contains("x</tspan>₂</text>"))

    var inner = Graph()
    let x = try inner.data("x", shape: [.batch, 3])
    let theta = try inner.parameter("θ", shape: [3])
    let sum = try inner.add(.sum(axes: [1]), [inner.add(.multiply, [x, theta])])
    _ = try inner.add(.sigmoid, [sum])
    #expect(DrawnGraph(inner).summary == "3 → 1 sigmoid; 3 parameters in 1 array; 3 operations")
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
    #expect(LeafSymbols(graph).text(name).plain == expected)
  }

  @Test("two leaves never share a symbol")
  func distinctSymbols() throws {
    var graph = Graph()
    let names = ["affine1/weight", "conv1/weight", "x1", "x_1"]
    for name in names { _ = try graph.parameter(name, shape: [2]) }
    let naming = LeafSymbols(graph)
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
