#include <hdf5.h>
#include <string.h>

// Names for macros of HDF5 that do not reach Swift. No logic.

// Property lists, spaces, error stack.
static inline hid_t chdf5_default(void) { return H5P_DEFAULT; }
static inline hid_t chdf5_space_all(void) { return H5S_ALL; }
static inline hid_t chdf5_error_stack(void) { return H5E_DEFAULT; }
static inline hid_t chdf5_file_create_class(void) { return H5P_FILE_CREATE; }
static inline hid_t chdf5_file_access_class(void) { return H5P_FILE_ACCESS; }
static inline hid_t chdf5_group_create_class(void) { return H5P_GROUP_CREATE; }
static inline hid_t chdf5_link_create_class(void) { return H5P_LINK_CREATE; }
static inline hid_t chdf5_link_access_class(void) { return H5P_LINK_ACCESS; }
static inline hid_t chdf5_dataset_create_class(void) { return H5P_DATASET_CREATE; }
static inline hid_t chdf5_dataset_access_class(void) { return H5P_DATASET_ACCESS; }

// Flags of files and extents.
static inline unsigned chdf5_read_only(void) { return H5F_ACC_RDONLY; }
static inline unsigned chdf5_truncate(void) { return H5F_ACC_TRUNC; }
static inline unsigned chdf5_exclusive(void) { return H5F_ACC_EXCL; }
static inline haddr_t chdf5_undefined_address(void) { return HADDR_UNDEF; }

// Types.
static inline hid_t chdf5_i8le(void) { return H5T_STD_I8LE; }
static inline hid_t chdf5_u8le(void) { return H5T_STD_U8LE; }
static inline hid_t chdf5_f32le(void) { return H5T_IEEE_F32LE; }
static inline hid_t chdf5_f64le(void) { return H5T_IEEE_F64LE; }
static inline hid_t chdf5_c_string(void) { return H5T_C_S1; }
static inline size_t chdf5_variable(void) { return H5T_VARIABLE; }

// Calls whose signature depends on the library's version behind a macro of one name.
static inline herr_t chdf5_link_type(hid_t place, const char *name, hid_t access, int *type) {
  H5L_info_t info;
  herr_t status = H5Lget_info(place, name, &info, access);
  *type = status < 0 ? -1 : (int)info.type;
  return status;
}
// The links of a group with their types; a positive result of `visit` ends the walk and is returned.
typedef herr_t (*chdf5_visit)(const char *name, int type, void *client);
struct chdf5_visitor {
  chdf5_visit visit;
  void *client;
};
static herr_t chdf5_visit_link(
    hid_t group, const char *name, const H5L_info_t *info, void *visitor) {
  struct chdf5_visitor *own = (struct chdf5_visitor *)visitor;
  (void)group;
  return own->visit(name, (int)info->type, own->client);
}
static inline herr_t chdf5_visit_links(hid_t group, chdf5_visit visit, void *client) {
  struct chdf5_visitor visitor = {visit, client};
  return H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, chdf5_visit_link, &visitor);
}
static inline herr_t chdf5_object_address(hid_t object, unsigned long long *address) {
  H5O_info_t info;
#if H5_VERSION_GE(1, 12, 0)
  herr_t status = H5Oget_info3(object, &info, H5O_INFO_BASIC);
  memcpy(address, &info.token, sizeof *address);
#else
  herr_t status = H5Oget_info2(object, &info, H5O_INFO_BASIC);
  *address = info.addr;
#endif
  return status;
}
static inline herr_t chdf5_free_strings(hid_t type, hid_t space, void *buffer) {
#if H5_VERSION_GE(1, 12, 0)
  return H5Treclaim(type, space, H5P_DEFAULT, buffer);
#else
  return H5Dvlen_reclaim(type, space, H5P_DEFAULT, buffer);
#endif
}

// An anonymous file in memory: glibc declares this for _GNU_SOURCE only, which Swift does not set.
extern int memfd_create(const char *name, unsigned flags);
static inline int chdf5_anonymous_file(void) { return memfd_create("nndist", 1 /* MFD_CLOEXEC */); }
