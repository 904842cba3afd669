/// Returns the part of `0 ..< count` that belongs to `owner` when it is shared out evenly in order.
///
/// - Parameters:
///   - count: The number of things.
///   - owner: Whose part, within `0 ..< owners`.
///   - owners: Among how many.
/// - Returns: The part, empty for some if there are more owners than things.
public func evenShare(of count: Int, owner: Int, owners: Int) -> Range<Int> {
  MicrobatchCut(rowCount: count, count: owners)[owner]
}
