import Communication
import Testing

@Suite("Launcher")
struct LauncherTests {
  @Test("is none without variables of a launcher")
  func none() {
    #expect(Launcher.detect(environment: [:]) == .none)
    #expect(Launcher.detect(environment: ["PATH": "/bin", "HOME": "/root"]) == .none)
  }

  @Test("is Open MPI under its mpirun, also inside a Slurm step")
  func openMPI() {
    let environment = [
      "OMPI_COMM_WORLD_SIZE": "8", "OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_LOCAL_SIZE": "4",
      "PMIX_NAMESPACE": "1", "PMIX_RANK": "3", "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "2",
    ]
    let job = Launcher.Job(
      processCount: 8, processNumber: 3, countOnHost: 4, endsWithAnyProcess: true)
    #expect(Launcher.detect(environment: environment) == .openMPI(job))
  }

  @Test("is Open MPI under srun with PMIx")
  func slurmPMIx() {
    let environment = [
      "PMIX_NAMESPACE": "slurm.pmix.7.0", "PMIX_RANK": "5", "SLURM_STEP_ID": "0",
      "SLURM_STEP_NUM_TASKS": "16", "SLURM_PROCID": "5", "SLURM_NTASKS": "32",
      "SLURM_STEP_TASKS_PER_NODE": "6(x2),4", "SLURM_NODEID": "2", "SLURM_CPUS_ON_NODE": "2",
    ]
    let job = Launcher.Job(
      processCount: 16, processNumber: 5, countOnHost: 4, coreCountOnHost: 2)
    #expect(Launcher.detect(environment: environment) == .openMPI(job))
  }

  @Test(
    "is unsupported where several processes would not find each other",
    arguments: [
      (
        ["SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "2"],
        "srun without PMIx"
      ),
      (
        [
          "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "2", "PMI_FD": "9",
          "PMI_RANK": "2", "PMI_SIZE": "4",
        ], "srun with PMI-2"
      ),
      (["PMI_RANK": "2", "PMI_SIZE": "4", "PMI_FD": "9"], "MPICH's or Intel MPI's mpiexec (PMI)"),
      (["MV2_COMM_WORLD_SIZE": "4", "MV2_COMM_WORLD_RANK": "2"], "MVAPICH2's mpirun_rsh"),
      (["PALS_SIZE": "4", "PALS_RANKID": "2"], "Cray PALS"),
    ])
  func unsupported(environment: [String: String], name: String) throws {
    let launcher = Launcher.detect(environment: environment)
    guard case .unsupported(let found, let job) = launcher else {
      Issue.record("\(launcher)")
      return
    }
    #expect(found == name)
    #expect(job.processCount == 4 && job.processNumber == 2)
    #expect(!launcher.isFirstProcess)
    #expect {
      try launcher.start()
    } throws: { error in
      let error = error as? CommunicationError
      return error == .launcherUnsupported(name: name, processCount: 4) && error?.exitStatus == 69
    }
  }

  @Test(
    "is none for one process, and in a batch script",
    arguments: [
      ["PMI_RANK": "0", "PMI_SIZE": "1"],
      ["SLURM_STEP_ID": "4294967290", "SLURM_STEP_NUM_TASKS": "1", "SLURM_NTASKS": "8"],
      ["SLURM_JOB_ID": "7", "SLURM_NTASKS": "8", "SLURM_PROCID": "0"],
    ])
  func alone(environment: [String: String]) {
    #expect(Launcher.detect(environment: environment) == .none)
  }

  @Test("starts no MPI for one process")
  func solo() throws {
    #expect(try Launcher.none.start() is SoloCommunicator)
    #expect(try Launcher.openMPI(Launcher.Job(processCount: 1)).start() is SoloCommunicator)
  }
}
