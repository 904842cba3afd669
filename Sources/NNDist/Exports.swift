// The library as one import: `import NNDist` brings the names of these modules with it.
//
// `@_exported` has no official spelling in Swift 6.1. Without it each of these modules would have to be
// imported by name, which is how a user of one of them alone still does it.
@_exported public import Communication
@_exported public import Configuration
@_exported public import DataParallel
@_exported public import Datasets
@_exported public import Drawing
@_exported public import Expressions
@_exported public import Graphs
@_exported public import Models
@_exported public import Tensors
@_exported public import Training
