#include "lib/weights/import.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "formats/error.h"
#include "lib/weights/import_codec.h"
#include "lib/weights/import_diffusers.h"
#include "lib/weights/import_microsoft.h"

namespace vq {
namespace {

bool is_folder(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// What else the file may be good for.
const char* hint_for(const SourcePool& pool) {
  for (const char* tower : {"token_embedding.weight", "embeddings.token_embedding.weight",
                            "text_model.embeddings.token_embedding.weight"}) {
    if (pool.has(tower)) return "it is a text tower: --text-tower takes it beside a checkpoint";
  }
  for (const char* part :
       {"latent_image_embedding.emb.weight", "encoder.down_blocks.0.resnets.0.conv1.weight"}) {
    if (pool.has(part))
      return "it is a part of diffusers' making: give the folder it lies in, or the pipeline's";
  }
  return "vq-info --tensors shows what is in it";
}

Import plan_file(const std::string& path, const ImportOptions& options) {
  Import import;
  SourcePool& pool = import.add(TensorSource::open(path));
  if (pool.values().is_object() && pool.values().value("vq.kind", Json("")) != Json("")) {
    throw Error(path, "is a model or codec of this toolkit already",
                "--to diffusers and --to microsoft write it as theirs");
  }
  if (is_microsoft_checkpoint(pool)) {
    plan_microsoft(import, options);
  } else if (const auto names = find_taming_codec(pool)) {
    plan_taming_codec(import, *names, options);
  } else {
    throw Error(path, "holds weights, but of no network that is known here", hint_for(pool));
  }
  return import;
}

void refuse_unused(Import& import, const ImportOptions& options) {
  std::vector<std::string> unused;
  for (const auto& pool : import.pools) {
    for (const std::string& pattern : options.allow_unused)
      pool->leave(pattern, "allowed by --allow-unused");
    const auto names = pool->unused();
    unused.insert(unused.end(), names.begin(), names.end());
  }
  if (unused.empty()) return;
  constexpr size_t kShown = 8;
  std::string list;
  for (size_t i = 0; i < std::min(kShown, unused.size()); ++i) list += (i ? ", " : "") + unused[i];
  if (unused.size() > kShown) list += fmt::format(" and {} more", unused.size() - kShown);
  throw Error(
      import.pools.front()->path(),
      fmt::format("has {} tensors that nothing here has a use for: {}", unused.size(), list),
      "--allow-unused PATTERN leaves them out");
}

// An option that this source does not read would do nothing: it is refused.
void refuse_idle(const Import& import, bool folder, const ImportOptions& o) {
  const bool model = import.model.has_value();
  const bool checkpoint = model && !folder;
  const std::string kind =
      model ? import.model->config["condition"]["kind"].get<std::string>() : "";
  const bool caption = checkpoint && kind == "caption";
  const SourcePool& pool = *import.pools.front();
  const bool inside = pool.has_prefix("model.content_codec.") || pool.has_prefix("content_codec.");
  const bool codec = !folder && (import.codec || inside);
  const struct {
    const char* name;
    bool given, read;
  } rows[] = {
      {"--raw", o.raw, checkpoint},
      {"--heads", o.heads > 0, checkpoint},
      {"--grid", o.grid_height > 0, checkpoint},
      {"--classes", !o.classes.empty(), checkpoint && kind == "label"},
      {"--vocabulary", !o.vocabulary.empty(), caption},
      {"--text-tower", !o.text_tower.empty(), caption},
      {"--text-heads", o.text_heads > 0, caption},
      {"--null", o.null != "auto", model && kind != "none"},
      {"--code-subset", !o.code_subset.empty(), codec},
      {"--groups", o.groups > 0, codec},
      {"--image-size", o.image_size > 0, codec || folder},
      {"--suggest-guidance, --suggest-top-p, --suggest-steps", !o.suggested.empty(), model}};
  for (const auto& row : rows) {
    if (row.given && !row.read)
      throw Error::usage(row.name, "says nothing for this source, which is " + import.what);
  }
}

}  // namespace

SourcePool& Import::add(TensorSource source, const std::string& label) {
  pools.push_back(std::make_unique<SourcePool>(std::move(source), label));
  return *pools.back();
}

Import plan_import(const std::string& path, const ImportOptions& options) {
  const bool folder = is_folder(path);
  Import import = folder ? plan_diffusers(path, options) : plan_file(path, options);
  refuse_idle(import, folder, options);
  refuse_unused(import, options);
  return import;
}

}  // namespace vq
