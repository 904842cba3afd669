// The library as one import: `import NNDist` re-exports these modules. Each can also be imported alone.
//
// `@_exported` has no official spelling in Swift 6.1.
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
