/// The part of a machine that decides the bits of a result besides configuration, data and seed.
///
/// Runs go on, and ranks work together, only where it is the same.
public struct Environment: Hashable, Sendable, CustomStringConvertible {
  /// Something that decides bits.
  public struct Fact: Hashable, Sendable {
    /// The name, such as `instruction set`.
    public let name: String
    /// The name in files, such as `isa`.
    public let key: String
    /// The value, such as `avx512_core`.
    public let value: String

    /// States a fact.
    public init(_ name: String, key: String, _ value: String) {
      (self.name, self.key, self.value) = (name, key, value)
    }
  }

  /// All that decides bits.
  public let facts: [Fact]

  /// Lists what decides bits.
  public init(_ facts: [Fact]) { self.facts = facts }

  /// One line.
  public var description: String { facts.map { "\($0.name) \($0.value)" }.joined(separator: ", ") }
}

/// A machine and its libraries, for people.
public struct Machine: Hashable, Sendable {
  /// The instruction set of the kernels, such as `avx512`.
  public let isa: String
  /// The sizes of the data caches, such as `32K/1024K/32768K`.
  public let caches: String
  /// The name of the library that computes what kernels do not, such as `oneDNN`.
  public let library: String
  /// The version of the library, and the instruction set that it uses.
  public let libraryVersion: String

  /// Describes a machine.
  public init(isa: String, caches: String, library: String, libraryVersion: String) {
    self.isa = isa
    self.caches = caches
    self.library = library
    self.libraryVersion = libraryVersion
  }
}
