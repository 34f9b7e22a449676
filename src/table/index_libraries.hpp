// The libraries behind index_file: one opener for each, in a room of its own.
#pragma once

#include "table/index_file.hpp"

namespace ekiden::table {

// `type`: hash or btree.
Result<std::unique_ptr<IndexFile>> open_berkeley_file(std::string_view type, const std::string& path,
                                                      IndexFile::Mode mode, mode_t permissions,
                                                      std::size_t expected_bytes);
Result<std::unique_ptr<IndexFile>> open_lmdb_file(const std::string& path, IndexFile::Mode mode, mode_t permissions);
Result<std::unique_ptr<IndexFile>> open_cdb_file(const std::string& path, IndexFile::Mode mode, mode_t permissions);

}  // namespace ekiden::table
