import Communication
import Testing

@Suite("Placement")
struct PlacementTests {
  func placement(_ cores: [Int: [Int]], rank: Int = 0, quota: Int? = nil) -> Placement {
    Placement(rank: rank, hostName: "host", coresOfRanks: cores, hostCount: 1, quota: quota)
  }

  @Test("a rank bound to cores of its own has them all")
  func bound() {
    let placement = placement([0: [0, 1], 1: [2, 3, 4]], rank: 1)
    #expect(placement.ownCoreCount == 3 && placement.coreCountOnHost == 5)
    #expect(placement.ranksOnHost == [0, 1] && !placement.isOversubscribed)
  }

  @Test(
    "ranks that share cores have a fair part, one at least",
    arguments: [(1, 8), (2, 4), (3, 2), (8, 1), (9, 1)])
  func shared(ranks: Int, own: Int) {
    let cores = Dictionary(uniqueKeysWithValues: (0..<ranks).map { ($0, Array(0..<8)) })
    let placement = placement(cores)
    #expect(placement.ownCoreCount == own)
    #expect(placement.isOversubscribed == (ranks > 8))
  }

  @Test("a quota of the container counts")
  func quota() {
    let cores = [0: Array(0..<64), 1: Array(0..<64)]
    let placement = placement(cores, quota: 4)
    #expect(placement.ownCoreCount == 2 && placement.coreCountOnHost == 4)
  }

  @Test("lists of cores are read as the kernel writes them")
  func lists() {
    #expect(cores(inList: "\t0-3,8\n") == [0, 1, 2, 3, 8])
    #expect(cores(inList: "5") == [5])
    #expect(cores(inList: "") == nil && cores(inList: "3-1") == nil && cores(inList: "a") == nil)
    #expect(coreQuota(inCPUMax: "250000 100000\n") == 3)
    #expect(coreQuota(inCPUMax: "max 100000\n") == nil && coreQuota(inCPUMax: "-1\n 100000") == nil)
  }

  @Test("the state of a process is read behind a name with brackets and blanks")
  func processState() {
    let fields = (4...52).map(String.init).joined(separator: " ")
    let stat = ProcessStat("123 (a) b (c)) T \(fields)\n")
    #expect(stat?.state == "T" && stat?.startTime == 22 && stat?.parent == 4)
    #expect(ProcessStat("123 (a) T 1 2") == nil && ProcessStat("") == nil)
  }
}
