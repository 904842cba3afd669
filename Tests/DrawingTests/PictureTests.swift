import Drawing
import Glibc
import Graphs
import Models
import NNDist
import Tensors
import TestSupport
import Testing

@Suite("Pictures", .timeLimit(.minutes(5)))
struct PictureTests {
  @Test("a square in the language of Graphviz")
  func dot() throws {
    var graph = Graph()
    let x = try graph.data("x", shape: [.batch])
    _ = try graph.add(.multiply, [x, graph.parameter("w", shape: [])])
    let font = "Helvetica,Arial,Liberation Sans,sans-serif"
    #expect(
      try draw(graph) == """
        digraph nndist {
          graph [rankdir=TB, bgcolor="#FFFFFF", fontname="\(font)", fontsize=11, \
        fontcolor="#5B636E", pad=0.25, margin=0, nodesep=0.35, ranksep=0.38, labelloc=b, \
        label=< <BR/><FONT COLOR="#0072B2">■</FONT>\u{A0}data\u{2003}\u{2002}\
        <FONT COLOR="#B87800">●</FONT>\u{A0}parameter\u{2003}\u{2002}\
        <FONT COLOR="#00805D">▢</FONT>\u{A0}operation\u{2003}\u{2002}\
        <FONT COLOR="#1A1D21">▣</FONT>\u{A0}result>];
          node [fontname="\(font)", fontsize=14, fontcolor="#1A1D21", style=filled, penwidth=1.4, \
        margin="0.14,0.07", height=0.3];
          edge [fontname="\(font)", fontsize=11, fontcolor="#5B636E", color="#4A525C", \
        penwidth=1.1, arrowsize=0.65];
          n0 [label=<<I>x</I><BR/><FONT POINT-SIZE="11" COLOR="#5B636E">batch</FONT>>, shape=box, \
        style="filled", fillcolor="#DCEEFB", color="#0072B2"];
          n1 [label=<<I>w</I>>, shape=ellipse, \
        style="filled", fillcolor="#FDEBC3", color="#B87800", margin="0.05,0.03"];
          n2 [label=<<I>x</I>\u{A0}·\u{A0}<I>w</I><BR/><FONT POINT-SIZE="11" COLOR="#5B636E">batch</FONT>>, shape=box, \
        style="filled,rounded", fillcolor="#FFFFFF", color="#00805D", peripheries=2];
          n0 -> n2 [color="#0072B2"];
          n1 -> n2 [color="#B87800"];
        }

        """)
  }

  @Test("a difference in the language of Mermaid, on dark paper")
  func mermaid() throws {
    var graph = Graph()
    let x = try graph.data("x", shape: [1])
    _ = try graph.add(.subtract, [x, graph.parameter("w", shape: [1])])
    #expect(
      try DrawnGraph(graph).mermaid(detail: .scalar, background: .dark) == """
        flowchart LR
          n0["x₁"]:::data
          n1(["w₁"]):::parameter
          n2(("−")):::operation
          n0 --> n2
          n1 --x n2
          style n2 stroke-width:4px
          classDef data fill:#123A54,stroke:#56B4E9,color:#ECEFF2
          classDef parameter fill:#4C3A0C,stroke:#E69F00,color:#ECEFF2
          classDef constant fill:#262C33,stroke:#7C8691,color:#ECEFF2
          classDef operation fill:#14181D,stroke:#2BC49A,color:#ECEFF2
          classDef gradient fill:#46243A,stroke:#E39AC6,color:#ECEFF2,stroke-dasharray:4 3

        """)
  }

  @Test("Graphviz accepts every level of random graphs, and its SVG is XML", arguments: 0..<12)
  func randomGraphs(seed: Int) throws {
    let random = try RandomGraph(seed: seed, batch: 1)
    let loss = random.values.suffix(1)
    let pairs = zip(random.gradients, random.graph.parameters).map { (gradient: $0, of: $1) }
    for drawn in [
      DrawnGraph(random.graph), DrawnGraph(random.graph, results: Array(loss), gradients: pairs),
    ] {
      for detail in [Detail.tensor, .operations, .layers] {
        let background: Background = seed.isMultiple(of: 2) ? .light : .dark
        let bytes = try drawn.picture(as: .svg, detail: detail, background: background)
        let texts = try #require(textsOfXML(bytes), "\(random) \(detail)")
        #expect(texts.contains("operation") || texts.joined().contains("operation"))
        #expect(try !drawn.text(detail: detail).isEmpty)
        #expect(try drawn.mermaid(detail: detail).hasPrefix("flowchart"))
      }
    }
    #expect(!DrawnGraph(random.graph).summary.isEmpty)
  }

  @Test("Graphviz accepts every operation number by number", arguments: [1, 3])
  func operationsByNumber(batch: Int) throws {
    var seen = 0
    for sample in try operationSamples(batch: batch, width: 2) {
      var drawn = DrawnGraph(sample.graph, results: [sample.output])
      drawn.rowCount = batch
      let elementCount = sample.graph.shape(of: sample.output).resolved(batch: batch).count
      guard let text = try? drawn.dot(detail: .scalar) else { continue }
      if elementCount > 0 { #expect(text.contains("peripheries=2"), "\(sample)") }
      let bytes = try run("dot", ["-Tcanon"], package: "graphviz", input: Array(text.utf8))
      #expect(!bytes.isEmpty, "\(sample)")
      seen += 1
    }
    #expect(seen > 30)
  }

  @Test("names of any characters stay names, in every language")
  func hostileNames() throws {
    let names = [
      "\"quoted\" <b>&amp;</b>", "two\nlines\r\n\t", "a\\N\\G\\l", "]]> --> -- ;}",
      "\u{0}\u{1}\u{FFFE}",
      "重み θ́ 😀", "`**md**`#quot;", "\u{202E}turned", String(repeating: "long ", count: 100),
      "x/y/<z>",
    ]
    for name in names {
      var graph = Graph()
      graph.layer = name
      let x = try graph.data(name, shape: [.batch, 2])
      let W = try graph.parameter(name + "/weight", shape: [2, 2])
      let y = try graph.add(.relu, [graph.affine(x, weight: W)], name: name)
      _ = try graph.squaredNorm(y)
      let drawn = drawnLast(graph)
      for detail in [Detail.scalar, .tensor, .operations, .layers, .network] {
        let bytes = try drawn.picture(as: .svg, detail: detail)
        let texts = try #require(textsOfXML(bytes), "\(name) \(detail)")
        #expect(!texts.joined().contains("&amp;lt;"), "\(name)")
        #expect(try drawn.text(detail: detail).split(separator: "\n").allSatisfy { $0.count < 400 })
      }
      let lines = try drawn.mermaid(detail: .tensor).split(separator: "\n")
      #expect(lines.allSatisfy { $0.count(where: { $0 == "\"" }).isMultiple(of: 2) }, "\(name)")
    }
  }

  /// Graphs of every kind, with and without what goes back.
  static func kinds() throws -> [(name: String, drawn: DrawnGraph)] {
    let (graph, loss) = try squaredError(inputs: 3, outputs: 2)
    let network = try network(3, [4, 3, 2])
    return [
      ("error", DrawnGraph(graph)), ("gradient", try DrawnGraph(graph, gradientOf: loss)),
      ("network", DrawnGraph(network)), ("backward", DrawnGraph(network, showsGradient: true)),
    ]
  }

  @Test("no two boxes overlap, and no box leaves the paper, at any level of detail")
  func noOverlap() throws {
    for (name, drawn) in try PictureTests.kinds() {
      for detail in [Detail.scalar, .tensor, .operations, .layers] {
        let text = try drawn.dot(detail: detail)
        let plain = String(
          decoding: try run("dot", ["-Tplain"], package: "graphviz", input: Array(text.utf8)),
          as: UTF8.self)
        let numbers = plain.split(separator: "\n").map { line in
          line.split(separator: " ").compactMap { Double($0) }
        }
        let paper = try #require(numbers.first)
        let boxes = zip(plain.split(separator: "\n"), numbers).filter { $0.0.hasPrefix("node ") }
          .map { Array($0.1.prefix(4)) }
        #expect(boxes.count == text.matches(of: /\n *n[0-9]+ \[/).count)
        for (i, a) in boxes.enumerated() {
          #expect(a[0] - a[2] / 2 > -0.01 && a[0] + a[2] / 2 < paper[1] + 0.01, "\(name) \(detail)")
          for b in boxes[(i + 1)...] {
            let isApart =
              abs(a[0] - b[0]) >= (a[2] + b[2]) / 2 - 0.001
              || abs(a[1] - b[1]) >= (a[3] + b[3]) / 2 - 0.001
            #expect(isApart, "\(name) \(detail): \(a) \(b)")
          }
        }
      }
    }
  }

  @Test("circles of a network stand apart, and on the paper")
  func circlesApart() throws {
    for counts in [[1], [2, 1], [20, 30, 10], [5, 5, 5, 5]] {
      let svg = try DrawnGraph(network(counts[0] + 1, counts)).networkSVG()
      let size = try #require(svg.firstMatch(of: /viewBox="0 0 ([0-9.]+) ([0-9.]+)"/))
      let circles = svg.matches(of: /cx="([0-9.]+)" cy="([0-9.]+)" r="([0-9.]+)"/).map {
        ($0.output.1, $0.output.2, $0.output.3)
      }.map { (x: Double($0) ?? -1, y: Double($1) ?? -1, r: Double($2) ?? -1) }
      #expect(circles.count >= counts.count)
      for (i, a) in circles.enumerated() {
        #expect(a.x > a.r && a.y > a.r, "\(a)")
        #expect(a.x + a.r < Double(size.output.1) ?? 0 && a.y + a.r < Double(size.output.2) ?? 0)
        for b in circles[(i + 1)...] {
          let (dx, dy) = (a.x - b.x, a.y - b.y)
          #expect(dx * dx + dy * dy > (a.r + b.r) * (a.r + b.r))
        }
      }
    }
  }

  @Test("every line of a Mermaid flowchart is one of the few that are written, with known ids")
  func mermaidSyntax() throws {
    for (name, drawn) in try PictureTests.kinds() {
      for detail in [Detail.scalar, .tensor, .operations, .layers] {
        let text = try drawn.mermaid(detail: detail)
        let lines = text.split(separator: "\n")
        #expect(lines[0] == "flowchart TD" || lines[0] == "flowchart LR")
        var (ids, depth) = (Set<Substring>(), 0)
        for line in lines.dropFirst() {
          let line = line.drop { $0 == " " }
          let label = #/"(?:[^"<>&`\\|*_\[\]{}#]|#[0-9]+;|<br/>)*"/#
          if let node = line.wholeMatch(
            of: #/(n[0-9]+)(\(\[|\(\(|\[/|\[|\()(".*")(\]\)|\)\)|/\]|\]|\)):::([a-z]+)/#)
          {
            #expect(node.output.3.wholeMatch(of: label) != nil, "\(name): \(line)")
            let pair = "\(node.output.2)\(node.output.4)"
            #expect(["([])", "(())", "[//]", "[]", "()"].contains(pair), "\(line)")
            #expect(text.contains("classDef \(node.output.5) "), "\(line)")
            #expect(ids.insert(node.output.1).inserted)
          } else if let arrow = line.wholeMatch(
            of: #/(n[0-9]+) (?:-->|--x|-\.->|-\.-x)(\|".*"\|)? (n[0-9]+)/#)
          {
            #expect(ids.contains(arrow.output.1) && ids.contains(arrow.output.3), "\(line)")
            if let text = arrow.output.2 {
              #expect(text.dropFirst().dropLast().wholeMatch(of: label) != nil, "\(line)")
            }
          } else if line.wholeMatch(of: #/subgraph g[0-9]+\["[^"]*"\]/#) != nil {
            depth += 1
          } else if line == "end" {
            depth -= 1
          } else if let style = line.wholeMatch(of: #/style (n[0-9]+) stroke-width:4px/#) {
            #expect(ids.contains(style.output.1))
          } else {
            let color = #/classDef [a-z]+ (?:[a-z]+:#[0-9A-F]{6},?){3}(?:,stroke-dasharray:4 3)?/#
            #expect(line.wholeMatch(of: color) != nil, "\(name): \(line)")
          }
        }
        #expect(depth == 0 && !ids.isEmpty)
      }
    }
  }

  @Test("a large gradient is laid out in seconds: no arrow goes all the way back")
  func largeGradient() throws {
    let deep = try network(16, Array(repeating: 16, count: 60))
    let clock = ContinuousClock()
    let begin = clock.now
    let drawn = DrawnGraph(deep, showsGradient: true)
    let bytes = try drawn.picture(as: .svg, detail: .tensor)
    // Half a minute when Graphviz routed those arrows around all boxes.
    #expect(begin.duration(to: clock.now) < .seconds(20))
    let text = try drawn.dot(detail: .tensor)
    let forward = Set(
      text.matches(of: /(n[0-9]+) \[[^\n]*style="filled,rounded"/).map { String($0.output.1) })
    let backward = Set(
      text.matches(of: /(n[0-9]+) \[[^\n]*style="filled,rounded,dashed"/).map {
        String($0.output.1)
      })
    #expect(forward.count > 100 && backward.count > 100)
    for arrow in text.matches(of: /(n[0-9]+) -> (n[0-9]+)/) {
      let (from, to) = (String(arrow.output.1), String(arrow.output.2))
      #expect(!(forward.contains(from) && backward.contains(to)), "\(from) -> \(to)")
    }
    #expect(textsOfXML(bytes)?.contains("(1)") == true)
  }

  @Test("text on paper is the name itself")
  func exactText() throws {
    var graph = Graph()
    _ = try graph.add(.relu, [graph.data("a<b>&\"c\"", shape: [.batch])])
    let bytes = try DrawnGraph(graph).picture(as: .svg, detail: .tensor)
    #expect(textsOfXML(bytes)?.contains("a<b>&\"c\"") == true)
  }

  @Test("a network's picture has a circle a unit, an edge a weight, and no more than ten rows")
  func networkSVG() throws {
    let narrow = try DrawnGraph(network(3, [4, 2])).networkSVG()
    #expect(narrow.matches(of: /<circle/).count == 3 + 4 + 2)
    #expect(narrow.matches(of: /<line/).count == 3 * 4 + 4 * 2 + 2 + 1)
    #expect(textsOfXML(Array(narrow.utf8))?.contains("softmax cross entropy") == true)
    let wide = try DrawnGraph(network(784, [512, 10])).networkSVG(background: .dark)
    #expect(wide.matches(of: /<circle/).count == (7 + 3) + (7 + 3) + 10)
    #expect(textsOfXML(Array(wide.utf8))?.contains("505 more") == true)
  }

  @Test("the sign of a weight is its edge's colour and dashes, its size the thickness")
  func weights() throws {
    let (graph, _) = try squaredError()
    var drawn = DrawnGraph(graph)
    drawn.values["W"] = Tensor(shape: [1, 2], values: [-2, 1])
    let svg = try drawn.networkSVG()
    #expect(
      svg.contains(
        "stroke=\"#D55E00\" stroke-width=\"3.2\" stroke-opacity=\"1\" stroke-dasharray=\"6 3\""))
    #expect(svg.contains("stroke=\"#0072B2\" stroke-width=\"1.8\" stroke-opacity=\"0.63\"/>"))
    drawn.values["W"] = Tensor(shape: [1, 2], values: [.nan, .infinity])
    #expect(textsOfXML(Array(try drawn.networkSVG().utf8)) != nil)
  }

  @Test("PNG and PDF of both programs begin as such files do")
  func rasters() throws {
    let drawn = DrawnGraph(try network(3, [2]))
    for detail in [Detail.layers, .network] {
      #expect(try drawn.picture(as: .png, detail: detail).starts(with: [0x89, 0x50, 0x4E, 0x47]))
      #expect(try drawn.picture(as: .pdf, detail: detail).starts(with: Array("%PDF".utf8)))
    }
  }

  @Test("what cannot be drawn is refused by name")
  func refusals() throws {
    let large = DrawnGraph(try network(100, [100]))
    #expect(throws: DrawingError.tooLarge(.scalar, found: 10000, limit: 600)) {
      try large.dot(detail: .scalar)
    }
    #expect(throws: DrawingError.self) { try large.dot(detail: .network) }
    var graph = Graph()
    let x = try graph.data("x", shape: [.batch, 2])
    let square = try graph.add(.square, [x])
    _ = try graph.add(.add, [x, square])
    #expect(
      throws: DrawingError.notLayered(found: "no product of data and parameters")
    ) { try DrawnGraph(graph).networkSVG() }
    var chain = Graph()
    var node = try chain.data("x", shape: [1])
    for _ in 0..<2001 { node = try chain.relu(node) }
    #expect(throws: DrawingError.tooLarge(.tensor, found: 2002, limit: 2000)) {
      try DrawnGraph(chain).dot(detail: .tensor)
    }
    #expect(throws: DrawingError.missingProgram("nndist-no-such-program", package: "none")) {
      try run("nndist-no-such-program", [], package: "none", input: [])
    }
    #expect(throws: DrawingError.self) {
      try run("dot", ["-Tsvg"], package: "graphviz", input: Array("digraph {".utf8))
    }
  }

  @Test("what children write of any length comes back whole")
  func childOutput() throws {
    let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    #expect(try run("cat", [], package: "coreutils", input: bytes) == bytes)
    #expect(try run("cat", [], package: "coreutils", input: []) == [])
  }

  @Test("children begin with no signal blocked or ignored")
  func childSignals() throws {
    var blocked = sigset_t()
    var before = sigset_t()
    sigemptyset(&blocked)
    sigaddset(&blocked, SIGTERM)
    pthread_sigmask(SIG_BLOCK, &blocked, &before)
    let handler = signal(SIGWINCH, SIG_IGN)
    defer {
      signal(SIGWINCH, handler)
      pthread_sigmask(SIG_SETMASK, &before, nil)
    }
    let status = String(
      decoding: try run("cat", ["/proc/self/status"], package: "coreutils", input: []),
      as: UTF8.self)
    let lines = status.split(separator: "\n")
      .filter { $0.hasPrefix("SigBlk") || $0.hasPrefix("SigIgn") }
    #expect(lines.count == 2)
    for line in lines {
      let bits = UInt64(line.suffix(16), radix: 16) ?? .max
      // From 32 on two signals are the C library's own.
      #expect(bits & 0x7FFF_FFFF == 0, "\(line)")
    }
  }

  @Test("an empty graph is an empty picture")
  func emptyGraph() throws {
    #expect(try !DrawnGraph(Graph()).picture(as: .svg, detail: .tensor).isEmpty)
    #expect(throws: DrawingError.self) { try DrawnGraph(Graph()).networkSVG() }
  }
}
