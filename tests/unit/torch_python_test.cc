// Files that PyTorch itself saved, beside what Python says is in them. Needs a Python with torch:
// $VQ_PYTHON, or the one that tests/bench/run.sh makes in the build tree, or python3; else skipped.

#include <cstdlib>
#include <sstream>

#include "formats/torch_archive.h"
#include "formats/torch_archive_writer.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

constexpr const char* kScript = R"(
import argparse, collections, sys, torch
folder = sys.argv[1]

def walk(value, name, out):
    if isinstance(value, torch.Tensor):
        kinds = {torch.float64: 'F64', torch.float32: 'F32', torch.float16: 'F16',
                 torch.bfloat16: 'BF16', torch.int64: 'I64', torch.int32: 'I32', torch.int16: 'I16',
                 torch.int8: 'I8', torch.uint8: 'U8', torch.bool: 'BOOL'}
        raw = value.detach().contiguous().reshape(-1).view(torch.uint8)
        out.append(' '.join([name or 'tensor', kinds[value.dtype],
                             ','.join(map(str, value.shape)) or '-',
                             bytes(raw.tolist()).hex() or '-']))
    elif isinstance(value, dict):
        for key in value: walk(value[key], (name + '.' if name else '') + str(key), out)
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value): walk(item, (name + '.' if name else '') + str(i), out)

def save(name, value, like=None, **options):
    torch.save(value, folder + '/' + name, **options)
    write(name, value if like is None else like)

def write(name, value):
    out = []
    walk(value, '', out)
    with open(folder + '/' + name + '.txt', 'w') as f: f.writelines(line + '\n' for line in out)

torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.Linear(4, 2))
optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3)
sum(p.square().sum() for p in net.parameters()).backward()
optimiser.step()
base = torch.arange(24, dtype=torch.float32)
types = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32,
         torch.int16, torch.int8, torch.uint8, torch.bool]
save('state.pth', net.state_dict())
save('training.ckpt', {'model': net.state_dict(), 'optimizer': optimiser.state_dict(), 'epoch': 7,
                       'hyper': argparse.Namespace(lr=0.5, name='x'), 'best': float('inf')})
save('views.pth', {'whole': base, 'turned': base.view(4, 6).t(), 'part': base[3:9:2],
                   'wide': base[:3].expand(4, 3), 'one': base[5], 'none': base[:0],
                   'cube': base.view(2, 3, 4).permute(2, 0, 1)})
save('types.pth', {str(t)[6:]: torch.arange(3).to(t) for t in types})
save('list.pt', [base[:2], (torch.nn.Parameter(base[2:4]), None)])
save('alone.pt', base[:4])
save('unchecked.pth', {'w': base}, pickle_protocol=4)
save('module.pt', net, like=net.state_dict())
torch.jit.script(net).save(folder + '/script.pt')
write('script.pt', net.state_dict())
)";

// How to call a Python that can load torch; "" when there is none. In a virtual environment of the
// benchmarks torch's CUDA libraries lie beside it, where the loader does not look by itself.
std::string python_with_torch() {
  const char* given = std::getenv("VQ_PYTHON");
  const std::string bench = std::string(VQ_BIN_DIR) + "/../bench-venv/bin/python";
  for (const std::string& python :
       {std::string(given ? given : ""), bench, std::string("python3")}) {
    if (python.empty()) continue;
    const std::string command =
        "LD_LIBRARY_PATH=$(ls -d \"$(dirname \"" + python +
        "\")\"/../lib/python3*/site-packages/nvidia/*/lib 2>/dev/null | tr '\\n' ':')"
        "$LD_LIBRARY_PATH '" +
        python + "' -W ignore ";
    if (std::system((command + "-c 'import torch' >/dev/null 2>&1").c_str()) == 0) return command;
  }
  return "";
}

std::string hex(const Bytes& bytes) {
  std::string text;
  for (const uint8_t b : bytes) {
    for (const int digit : {b >> 4, b & 15}) text += "0123456789abcdef"[digit];
  }
  return text.empty() ? "-" : text;
}

// As the script writes it: name, type, shape, numbers.
std::string lines(const TorchArchive& file) {
  std::string text;
  for (const std::string& name : file.names()) {
    const TorchTensor& tensor = file.tensor(name);
    std::string shape;
    for (const int64_t side : tensor.shape)
      shape += (shape.empty() ? "" : ",") + std::to_string(side);
    text += name + " " + dtype_name(tensor.dtype) + " " + (shape.empty() ? "-" : shape) + " " +
            hex(file.read(name)) + "\n";
  }
  return text;
}

std::vector<std::string> sorted_lines(const std::string& text) {
  std::vector<std::string> all;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) all.push_back(line);
  std::sort(all.begin(), all.end());
  return all;
}

TEST(TorchPython, FilesThatPyTorchSaved) {
  const std::string python = python_with_torch();
  if (python.empty()) GTEST_SKIP() << "no python3 with torch (set VQ_PYTHON to one)";
  const TempFolder folder;
  const std::string script = folder.write("save.py", kScript);
  ASSERT_EQ(std::system((python + "'" + script + "' '" + folder.path() + "'").c_str()), 0);
  for (const char* name : {"state.pth", "training.ckpt", "views.pth", "types.pth", "list.pt",
                           "alone.pt", "unchecked.pth", "module.pt", "script.pt"}) {
    SCOPED_TRACE(name);
    const TorchArchive file(folder / name);
    const std::string expected = file_content(folder / (std::string(name) + ".txt"));
    EXPECT_FALSE(expected.empty());
    // A module keeps its buffers beside its parameters, so their order is not the state's.
    EXPECT_EQ(sorted_lines(lines(file)), sorted_lines(expected));
    EXPECT_TRUE(file.check());
    EXPECT_EQ(file.is_script(), std::string(name) == "script.pt");
  }
  const Json values = TorchArchive(folder / "training.ckpt").values();
  EXPECT_EQ(values["epoch"], 7);
  EXPECT_EQ(values["best"], "inf");
  EXPECT_EQ(values["hyper"]["class"], "argparse.Namespace");
  EXPECT_EQ(values["hyper"]["state"]["lr"], 0.5);
  EXPECT_EQ(values["optimizer"]["param_groups"][0]["lr"], 1e-3);
}

// Files that we write: torch.load shall take them without believing their code, and find the same.
TEST(TorchPython, FilesThatPyTorchReads) {
  const std::string python = python_with_torch();
  if (python.empty()) GTEST_SKIP() << "no python3 with torch (set VQ_PYTHON to one)";
  const TempFolder folder;
  for (const uint64_t zip64_from : {uint64_t{1}, uint64_t{UINT32_MAX}}) {
    const std::string path = folder / ("ours" + std::to_string(zip64_from % 2) + ".pth");
    std::vector<TorchLayout> all;
    for (const DType dtype : {DType::f64, DType::f32, DType::f16, DType::bf16, DType::i64,
                              DType::i32, DType::i16, DType::i8, DType::u8, DType::boolean})
      all.push_back({"model", std::string("a.") + dtype_name(dtype), dtype, {2, 3}, {}});
    all.push_back({"model", "again", DType::f32, {2, 3}, 1});
    all.push_back({"model", "none", DType::f32, {0, 7}, {}});
    all.push_back({"ema", "one", DType::f16, {}, {}});
    TorchArchiveWriter writer(path, all, {{"epoch", 7}}, true, zip64_from);
    for (const TorchLayout& tensor : all) {
      if (tensor.same_as || tensor.name == "none") continue;
      const size_t count = (tensor.shape.empty() ? 1 : 6) * dtype_size(tensor.dtype);
      writer.write(Bytes(count, 1));
    }
    writer.close();
    const std::string script = folder.write(
        "load.py", std::string(kScript).substr(0, std::string(kScript).find("def save")) +
                       R"(
value = torch.load(sys.argv[2], weights_only=True)
assert value.pop('epoch') == 7
assert value['model']['again'].data_ptr() == value['model']['a.F32'].data_ptr()
out = []
walk(value, '', out)
open(sys.argv[1] + '/found', 'w').writelines(line + '\n' for line in out)
import zipfile
assert zipfile.ZipFile(sys.argv[2]).testzip() is None
)");
    ASSERT_EQ(
        std::system((python + "'" + script + "' '" + folder.path() + "' '" + path + "'").c_str()),
        0);
    EXPECT_EQ(file_content(folder / "found"), lines(TorchArchive(path)));
  }
}

}  // namespace
}  // namespace vq
