// The colours: Okabe and Ito's, which readers with any colour vision tell apart, as strokes, with tints
// of them as fills. Shape and line style say the same again for grey printers.

/// The colours of a picture on one background.
struct Palette {
  struct Paint: Hashable {
    let fill: String
    let stroke: String
  }
  let background: String
  let ink: String
  let faint: String
  let group: String
  let groupEdge: String
  let line: String
  let data: Paint
  let parameter: Paint
  let operation: Paint
  let constant: Paint
  let gradient: Paint
  /// Weights above and below zero.
  let positive: String
  let negative: String

  init(_ background: Background) {
    switch background {
    case .light:
      self.background = "#FFFFFF"
      ink = "#1A1D21"
      faint = "#5B636E"
      group = "#F6F7F9"
      groupEdge = "#D3D8DE"
      line = "#4A525C"
      data = Paint(fill: "#DCEEFB", stroke: "#0072B2")
      parameter = Paint(fill: "#FDEBC3", stroke: "#B87800")
      operation = Paint(fill: "#FFFFFF", stroke: "#00805D")
      constant = Paint(fill: "#F0F1F3", stroke: "#8A929C")
      gradient = Paint(fill: "#F9E6F0", stroke: "#A8487E")
      positive = "#0072B2"
      negative = "#D55E00"
    case .dark:
      self.background = "#14181D"
      ink = "#ECEFF2"
      faint = "#A3ACB7"
      group = "#1C2127"
      groupEdge = "#39424C"
      line = "#A3ACB7"
      data = Paint(fill: "#123A54", stroke: "#56B4E9")
      parameter = Paint(fill: "#4C3A0C", stroke: "#E69F00")
      operation = Paint(fill: "#14181D", stroke: "#2BC49A")
      constant = Paint(fill: "#262C33", stroke: "#7C8691")
      gradient = Paint(fill: "#46243A", stroke: "#E39AC6")
      positive = "#56B4E9"
      negative = "#F08A3C"
    }
  }
}
