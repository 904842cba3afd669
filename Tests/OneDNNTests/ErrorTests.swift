import OneDNN
import Testing

@Suite("Errors of the library")
struct ErrorTests {
  @Test(
    "name the shape that is refused",
    arguments: [ConvolutionPrimitive.Kind.forward(bias: false), .inputGradient, .weightGradient])
  func convolution(kind: ConvolutionPrimitive.Kind) {
    prepareThread()
    let contradictory = ConvolutionPrimitive.Geometry(
      batch: 2, inputs: 4, outputs: 4, groups: 1,
      axes: [.init(input: 8, output: 5, kernel: 3), .init(input: 8, output: 6, kernel: 3)])
    let error = #expect(throws: OneDNNError.self) {
      try ConvolutionPrimitive(kind, contradictory)
    }
    #expect(
      error?.description
        == "convolution of 2 images [8, 8] by [4, 4, 3, 3]: "
        + "dnnl_convolution_forward_primitive_desc_create: invalid_arguments")
  }

  @Test("name the extents of a product that is refused")
  func product() {
    prepareThread()
    let error = #expect(throws: OneDNNError.self) {
      try MatmulPrimitive(
        rows: -1, columns: 2, depth: 3, transposeLHS: false, transposeRHS: false, bias: false)
    }
    #expect(
      error?.description == "product [-1, 3] · [3, 2]: dnnl_memory_desc_create: invalid_arguments")
  }

  @Test("can be told from others by the version and the instruction set of the library")
  func library() {
    #expect(OneDNN.version().split(separator: ".").count == 3)
    #expect(!OneDNN.describeISA().isEmpty)
  }
}
