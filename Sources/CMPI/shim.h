// Names for the macros of mpi.h, which do not reach Swift. No logic.
#ifndef CMPI_SHIM_H
#define CMPI_SHIM_H

#include <mpi.h>

#ifndef OMPI_MAJOR_VERSION
#error "nndist is written for Open MPI; install libopenmpi-dev"
#endif

static inline MPI_Comm cmpi_comm_world(void) { return MPI_COMM_WORLD; }
static inline MPI_Comm cmpi_comm_null(void) { return MPI_COMM_NULL; }
static inline MPI_Info cmpi_info_null(void) { return MPI_INFO_NULL; }
static inline MPI_Errhandler cmpi_errors_return(void) { return MPI_ERRORS_RETURN; }

static inline MPI_Datatype cmpi_byte(void) { return MPI_BYTE; }
static inline MPI_Datatype cmpi_float(void) { return MPI_FLOAT; }
static inline MPI_Datatype cmpi_int32(void) { return MPI_INT32_T; }
static inline MPI_Datatype cmpi_int64(void) { return MPI_INT64_T; }

static inline MPI_Op cmpi_sum(void) { return MPI_SUM; }
static inline MPI_Op cmpi_min(void) { return MPI_MIN; }
static inline MPI_Op cmpi_max(void) { return MPI_MAX; }

static inline const void *cmpi_in_place(void) { return MPI_IN_PLACE; }
static inline MPI_Status *cmpi_statuses_ignore(void) { return MPI_STATUSES_IGNORE; }

static inline int cmpi_header_major_version(void) { return OMPI_MAJOR_VERSION; }
static inline int cmpi_header_minor_version(void) { return OMPI_MINOR_VERSION; }

#endif
