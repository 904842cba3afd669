/// Returns the part of `0 ..< count` that falls to `owner` when it is divided evenly, in order.
///
/// - Parameters:
///   - count: The number of things.
///   - owner: The owner, within `0 ..< owners`.
///   - owners: The number of owners.
/// - Returns: The part, empty for some if there are more owners than things.
package func evenPart(of count: Int, owner: Int, owners: Int) -> Range<Int> {
  MicrobatchCut(rowCount: count, count: owners)[owner]
}
