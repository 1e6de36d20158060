using System.Runtime.InteropServices;
using System.Text;
using LatentBridge.Files;
using LatentBridge.Formats;
using LatentBridge.Imaging;
using LatentBridge.Imaging.Png;
using LatentBridge.Ipc;
using LatentBridge.Latents;
using LatentBridge.Onnx.Export;
using LatentBridge.Onnx.Model;
using LatentBridge.Sessions.Control;
using LatentBridge.Testing;

namespace LatentBridge.Fuzz.Tests;

/// <summary>Everything that reads bytes of somebody else: the whole list. A new reader is one row.</summary>
static partial class Targets
{
    /// <summary>Elements of the largest tensor that is read out; larger ones are only described.</summary>
    const long MostElements = 1 << 20;

    static readonly string[] Json = ["{", "}", "[", "]", ":", ",", "\"", "null", "true", "-1", "0", "1e999", "9223372036854775807", "\\u0000", "\\ud800"];
    static readonly string[] TensorWords = [.. Json, "F32", "F16", "BF16", "F64", "I64", "BOOL", "dtype", "shape", "data_offsets", "__metadata__", "latent", "latent_tensor", "latents", "latent_format", "SDXL"];
    static readonly string[] NpyWords = ["<f4", ">f8", "|b1", "<i8", "descr", "fortran_order", "True", "False", "shape", "(1, 4, 8, 8)", "()", ",)", "'", "-1"];
    static readonly string[] PickleWords =
        ["ctorch._utils\n_rebuild_tensor_v2\n", "ctorch\nFloatStorage\n", "ccollections\nOrderedDict\n", "cos\nsystem\n", "(", "t", "R", "Q", "}", "]", "s", "u", "a", "e", "N", "\u0080\u0002", "\u0089", "\u0088", "."];

    public static IReadOnlyList<Target> All { get; } =
    [
        new("safetensors", ReadTensors, Weights("*.safetensors"), TensorWords, Checks.SafetensorsLength),
        new(".latent", ReadTensors, Weights("*.latent"), TensorWords, Checks.SafetensorsLength),
        new("recording", ReadTensors, [Recording(2), Recording(20)], TensorWords, Checks.SafetensorsLength),
        new("npy", ReadTensors, Weights("*.npy"), NpyWords, Checks.NpyLength),
        new("npz and zip", ReadTensors, Weights("*.npz"), [.. NpyWords, "PK\u0001\u0002", "PK\u0003\u0004", "PK\u0005\u0006", ".npy"], Checks.Zip),
        new("pt and pickle", ReadTensors, Weights("*.pt"), [.. PickleWords, "archive/data.pkl", "archive/data/0", "PK\u0001\u0002"], Checks.Zip),
        new("png", ReadPicture, Pictures(), ["IHDR", "IDAT", "PLTE", "tRNS", "IEND", "tEXt", "eXIf", "acTL", "LatentBridge\0SDXL 4"], Checks.Png),
        new("onnx", ReadOnnx, [OnnxSeed()], ["Conv", "Resize", "latent", "dilations", "latentbridge.format", "SD15"]),
        new("format json", ReadFormat, Formats(), [.. Json, "channels", "rgb", "factors", "bias", "mean", "std", "process"]),
        new("control line", ReadLine, [.. Vectors.Messages().Where(m => m.Direction == '>').Select(m => Encoding.UTF8.GetBytes(m.Line))], [.. Json, "jsonrpc", "params", "submit", "hello", "avoid", "id"]),
        new("latent slot header", ReadLatentSlot, Slots("latent-slot"), []),
        new("header page", ReadHeaderPage, Slots("header-page"), []),
        new("tar shard", ReadTar, [Tar()], ["ustar", "PaxHeader", ".npy", "path=", "size="], Checks.Tar),
        new("mds shard", ReadMds, [Mds()], [], Checks.MdsEnd),
        new("mds index", ReadMdsIndex, [MdsIndex()], [.. Json, "shards", "column_names", "column_encodings", "column_sizes", "ndarray:float16:", "bytes"]),
        new("parquet shard", ReadParquet, Parquet(), ["PAR1", "latent", "latents", "element", "list"]),
        new("diffusion-pipe shard", ReadPipe, [Pipe()], ["PK\u0001\u0002", "PK\u0003\u0004", "PK\u0005\u0006"]),
    ];

    static bool ReadTensors(byte[] bytes) => Refuses(() =>
    {
        using TensorFile file = TensorFile.Parse(bytes, "case");
        foreach (TensorEntry entry in file.Tensors.Where(static entry => entry.Length < MostElements))
        {
            entry.CopyTo(new float[entry.Length]);
            entry.CopyBytesTo(new byte[entry.ByteLength]);
        }

        // A file of tensors need not hold a latent.
        Refuses(() => LatentFile.Load(file, "case", new()));
    });

    static bool ReadPicture(byte[] bytes) => Refuses(() => PngOrientation.Turn(PngReader.Read(bytes), PngOrientation.Of(bytes))) | Refuses(() => LatentPicture.Read(bytes));

    static bool ReadFormat(byte[] bytes) => Refuses(() => LatentFormatReader.Read(new MemoryStream(bytes), "case"));

    static bool ReadOnnx(byte[] bytes)
    {
        try
        {
            OnnxFile file = OnnxFile.Parse(bytes);
            OnnxModel model = OnnxModel.Of(file, new OnnxNotes(), "case.onnx");
            return model.Channels > 0 && model.OnlySize.Height >= -1 && model.Cost.MultiplyAddsPerCell >= 0;
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }

    static bool ReadLine(byte[] bytes)
    {
        try
        {
            new ControlMessage().Read(bytes);
            return true;
        }
        catch (ControlException)
        {
            return false;
        }
    }

    static bool ReadLatentSlot(byte[] bytes) => MemoryMarshal.Read<LatentSlotHeader>(Sized(bytes, Marshal.SizeOf<LatentSlotHeader>())).Validate(1, 1 << 20) is null;

    static bool ReadHeaderPage(byte[] bytes) => MemoryMarshal.Read<HeaderPage>(Sized(bytes, Protocol.HeaderLength)).Validate() is null;

    static bool Refuses(Action read)
    {
        try
        {
            read();
            return true;
        }
        catch (LatentBridgeException)
        {
            return false;
        }
    }

    static byte[] Sized(byte[] bytes, int length)
    {
        byte[] sized = new byte[length];
        bytes.AsSpan(0, Math.Min(length, bytes.Length)).CopyTo(sized);
        return sized;
    }

    static byte[][] Weights(string pattern) => [.. Directory.GetFiles(Path.Combine(TestData.RepositoryRoot, "tests", "Goldens", "Weights"), pattern).Order(StringComparer.Ordinal).Select(File.ReadAllBytes)];

    static byte[][] Formats() =>
        [.. new[] { "SD15", "SDXL", "Flux2", "Wan21", "HunyuanVideo" }.Select(id => Path.Combine(TestData.RepositoryRoot, "models", "formats", id + ".json")).Where(File.Exists).Select(File.ReadAllBytes)];

    static byte[][] Slots(string file) => [.. Vectors.Cases(file, "good").Select(one => one.Bytes)];

    /// <summary>As <c>recording.py</c> writes a run: so many steps of F16, one behind the other.</summary>
    static byte[] Recording(int steps)
    {
        byte[] header = Encoding.UTF8.GetBytes(
            $$$"""{"__metadata__":{"recording":"{{{steps}}} steps","latent_format":"SDXL"},"latents":{"dtype":"F16","shape":[{{{steps}}},4,4,4],"data_offsets":[0,{{{steps * 128}}}]}}""");
        return [.. BitConverter.GetBytes((long)header.Length), .. header, .. new byte[steps * 128]];
    }

    static byte[][] Pictures()
    {
        float[] values = [.. Enumerable.Range(0, 4 * 6 * 5).Select(i => MathF.Sin(i))];
        byte[] latent = LatentPicture.Write(new LatentPlanes(values, 4, 6, 5), "SDXL");
        byte[] rgb = new byte[PngEncoder.MaximumLength(9, 7, 3)];
        int length = new PngEncoder().Encode([.. Enumerable.Range(0, 9 * 7 * 3).Select(i => (byte)(i * 7))], 9, 7, 3, rgb);
        return [latent, rgb[..length]];
    }

    static byte[] OnnxSeed()
    {
        OnnxMessage kernel = new OnnxMessage().Add(1, 3).Add(1, 4).Add(1, 1).Add(1, 1).Add(2, 1).Add(8, "kernel").Add(9, new byte[48]);
        OnnxMessage stride = new OnnxMessage().Add(1, "strides").Add(8, 1).Add(8, 1).Add(20, 7);
        OnnxMessage node = new OnnxMessage().Add(1, "latent").Add(1, "kernel").Add(2, "rgb").Add(4, "Conv").Add(5, stride);
        OnnxMessage graph = new OnnxMessage().Add(1, node).Add(5, kernel).Add(11, Value("latent", 4)).Add(12, Value("rgb", 3));
        OnnxMessage note = new OnnxMessage().Add(1, "latentbridge.format").Add(2, "SD15");
        return new OnnxMessage().Add(1, 8).Add(7, graph).Add(8, new OnnxMessage().Add(1, "").Add(2, 17)).Add(14, note).Bytes.ToArray();

        static OnnxMessage Value(string name, int channels)
        {
            OnnxMessage shape = new();
            foreach (long axis in (long[])[1, channels, 0, 0])
            {
                shape.Add(1, axis > 0 ? new OnnxMessage().Add(1, axis) : new OnnxMessage().Add(2, "side"));
            }

            return new OnnxMessage().Add(1, name).Add(2, new OnnxMessage().Add(1, new OnnxMessage().Add(1, 1).Add(2, shape)));
        }
    }
}
