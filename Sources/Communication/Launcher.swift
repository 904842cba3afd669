// The launcher of this process, detected from the environment alone, before MPI is touched.

/// The program that started this process, and the job it started.
public enum Launcher: Equatable, Sendable {
  /// No launcher: the process is alone.
  case none
  /// A launcher that Open MPI can talk to: its own mpirun, or another that serves PMIx.
  case openMPI(Job)
  /// A launcher whose several processes could not find each other.
  case unsupported(name: String, Job)

  /// The launcher's description of the job; nil for values it does not give.
  public struct Job: Equatable, Sendable {
    /// The number of processes.
    public var processCount: Int?
    /// The number of this process.
    public var processNumber: Int?
    /// The number of processes on this host.
    public var countOnHost: Int?
    /// The number of cores of this host given to the job.
    public var coreCountOnHost: Int?
    /// Indicates whether the launcher ends the job when one process ends with a status other than 0.
    public var endsWithAnyProcess: Bool

    /// Makes a description of a job.
    public init(
      processCount: Int? = nil, processNumber: Int? = nil, countOnHost: Int? = nil,
      coreCountOnHost: Int? = nil, endsWithAnyProcess: Bool = false
    ) {
      self.processCount = processCount
      self.processNumber = processNumber
      self.countOnHost = countOnHost
      self.coreCountOnHost = coreCountOnHost
      self.endsWithAnyProcess = endsWithAnyProcess
    }
  }

  /// Indicates whether this process prints for the whole job before ranks are known.
  public var isFirstProcess: Bool {
    switch self {
    case .none: true
    case .openMPI(let job), .unsupported(_, let job): (job.processNumber ?? 0) == 0
    }
  }

  /// Returns the launcher of this process.
  ///
  /// Several processes whose launcher Open MPI cannot talk to are `unsupported`: each of the n would
  /// silently train alone. A single process of such a launcher is `none`.
  ///
  /// - Parameter environment: The environment variables of the process.
  /// - Returns: The launcher, with its description of the job.
  public static func detect(environment: [String: String]) -> Launcher {
    func number(_ name: String) -> Int? { environment[name].flatMap { Int($0) } }

    if let count = number("OMPI_COMM_WORLD_SIZE") {
      return .openMPI(
        Job(
          processCount: count, processNumber: number("OMPI_COMM_WORLD_RANK"),
          countOnHost: number("OMPI_COMM_WORLD_LOCAL_SIZE"), endsWithAnyProcess: true))
    }

    // A batch script also sees SLURM_NTASKS; only the tasks of a step have a step number.
    let isSlurmStep = environment["SLURM_STEP_ID"] != nil
    let slurm = Job(
      processCount: number("SLURM_STEP_NUM_TASKS") ?? number("SLURM_NTASKS"),
      processNumber: number("SLURM_PROCID"),
      countOnHost: tasks(
        ofNode: number("SLURM_NODEID") ?? 0, in: environment["SLURM_STEP_TASKS_PER_NODE"] ?? ""),
      coreCountOnHost: number("SLURM_CPUS_ON_NODE"))

    if environment["PMIX_NAMESPACE"] != nil {
      let job = isSlurmStep ? slurm : Job(processNumber: number("PMIX_RANK"))
      return .openMPI(job)
    }
    if isSlurmStep, let count = slurm.processCount, count > 1 {
      let name = environment["PMI_FD"] == nil ? "srun without PMIx" : "srun with PMI-2"
      return .unsupported(name: name, slurm)
    }

    let others: [(name: String, size: String, rank: String)] = [
      ("Intel MPI", "I_MPI_PMI_SIZE", "PMI_RANK"),
      ("MVAPICH2's mpirun_rsh", "MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK"),
      ("Cray PALS", "PALS_SIZE", "PALS_RANKID"),
      ("Flux", "FLUX_JOB_SIZE", "FLUX_TASK_RANK"),
      ("MPICH's or Intel MPI's mpiexec (PMI)", "PMI_SIZE", "PMI_RANK"),
    ]
    for other in others {
      guard let count = number(other.size), count > 1 else { continue }
      return .unsupported(
        name: other.name, Job(processCount: count, processNumber: number(other.rank)))
    }
    return .none
  }

  /// Reads Slurm's list of tasks per node, such as `8(x2),4` for 8, 8 and 4.
  private static func tasks(ofNode node: Int, in list: String) -> Int? {
    var nodes = 0
    for part in list.split(separator: ",") {
      let numbers = part.split(whereSeparator: { !$0.isNumber }).map { Int($0) }
      guard let first = numbers.first, let tasks = first else { return nil }
      nodes += numbers.count > 1 ? numbers[1] ?? 1 : 1
      if node < nodes { return tasks }
    }
    return nil
  }
}

extension Launcher {
  /// Starts communication with all other processes that the launcher started.
  ///
  /// Collective. A single process needs no MPI, with or without a launcher.
  ///
  /// - Parameter limits: The limits on waiting for other ranks.
  /// - Returns: The communicator of this process.
  /// - Throws: ``CommunicationError/launcherUnsupported(name:processCount:)``; the errors of
  ///   ``MPICommunicator/init(job:limits:)``.
  /// - Complexity: 250 ms with several processes.
  public func start(
    limits: WaitLimits = WaitLimits()
  ) throws(CommunicationError) -> any Communicator {
    switch self {
    case .none: SoloCommunicator()
    case .openMPI(let job) where job.processCount == 1: SoloCommunicator()
    case .openMPI(let job): try MPICommunicator(job: job, limits: limits)
    case .unsupported(let name, let job):
      throw .launcherUnsupported(name: name, processCount: job.processCount)
    }
  }
}
