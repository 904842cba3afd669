import Drawing
import Foundation
import FoundationXML
import Graphs
import Models
import Tensors

/// `‖x·Wᵀ + b − y‖²` per row.
func squaredError(inputs: Int = 2, outputs: Int = 1) throws -> (Graph, loss: Graph.Node) {
  var graph = Graph()
  let x = try graph.data("x", shape: [.batch, .fixed(inputs)])
  let W = try graph.parameter("W", shape: [.fixed(outputs), .fixed(inputs)])
  let b = try graph.parameter("b", shape: [.fixed(outputs)])
  let y = try graph.data("y", shape: [.batch, .fixed(outputs)])
  let residual = try graph.add(.subtract, [graph.affine(x, weight: W, bias: b), y])
  let loss = try graph.squaredNorm(residual)
  return (graph, loss)
}

/// A network of affine layers with relu between them, for class labels.
func network(_ inputs: Int, _ units: [Int]) throws -> Network {
  var layers: [Layer] = []
  for (place, count) in units.enumerated() {
    layers.append(.affine(count))
    if place < units.count - 1 { layers.append(.activation(.relu)) }
  }
  return try Network(
    layers: layers, loss: .softmaxCrossEntropy, sampleShape: [inputs], targets: .labels)
}

/// The drawing of a graph with its last node as result.
func drawnLast(_ graph: Graph) -> DrawnGraph { DrawnGraph(graph, results: graph.nodes.suffix(1)) }

/// The texts of an XML document, or nil if it is not well formed.
func textsOfXML(_ bytes: [UInt8]) -> [String]? {
  let reader = TextReader()
  let parser = XMLParser(data: Data(bytes))
  parser.delegate = reader
  return parser.parse() ? reader.texts : nil
}

private final class TextReader: NSObject, XMLParserDelegate {
  var texts: [String] = []
  private var depth = 0

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
    qualifiedName: String?, attributes: [String: String]
  ) {
    if name == "text" { texts.append("") }
    if name == "text" || depth > 0 { depth += 1 }
  }

  func parser(_ parser: XMLParser, foundCharacters text: String) {
    if depth > 0 { texts[texts.count - 1] += text }
  }

  func parser(
    _ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?
  ) {
    if depth > 0 { depth -= 1 }
  }
}
