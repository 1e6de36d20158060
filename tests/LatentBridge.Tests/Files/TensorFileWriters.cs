using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace LatentBridge.Tests.Files;

/// <summary>Writes small files of tensors, right ones and wrong ones, independently of the product's writers.</summary>
static class TensorFileWriters
{
    /// <summary>A safetensors file of a header as given.</summary>
    public static byte[] Safetensors(string header, ReadOnlySpan<byte> data)
    {
        byte[] json = Encoding.UTF8.GetBytes(header);
        byte[] file = new byte[8 + json.Length + data.Length];
        BinaryPrimitives.WriteInt64LittleEndian(file, json.Length);
        json.CopyTo(file, 8);
        data.CopyTo(file.AsSpan(8 + json.Length));
        return file;
    }

    /// <summary>A safetensors file of F32 zeros.</summary>
    public static byte[] Safetensors(params (string Name, long[] Shape)[] tensors)
    {
        var header = new StringBuilder("{");
        long end = 0;
        foreach ((string name, long[] shape) in tensors)
        {
            long begin = end;
            end += 4 * shape.Aggregate(1L, static (a, b) => a * b);
            header.Append($$"""{{(begin == 0 ? "" : ",")}}"{{name}}":{"dtype":"F32","shape":[{{string.Join(',', shape)}}],"data_offsets":[{{begin}},{{end}}]}""");
        }

        return Safetensors(header.Append('}').ToString(), new byte[end]);
    }

    /// <summary>A version 1 .npy file.</summary>
    public static byte[] Npy(string descr, bool fortran, string shape, ReadOnlySpan<byte> data)
    {
        string header = $"{{'descr': '{descr}', 'fortran_order': {(fortran ? "True" : "False")}, 'shape': {shape}, }}\n";
        return [0x93, .. "NUMPY"u8, 1, 0, (byte)header.Length, (byte)(header.Length >> 8), .. Encoding.ASCII.GetBytes(header), .. data];
    }

    /// <summary>A ZIP file.</summary>
    public static byte[] Zip(CompressionLevel level, params (string Name, byte[] Content)[] entries)
    {
        using var stream = new MemoryStream();
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Create))
        {
            foreach ((string name, byte[] content) in entries)
            {
                using Stream entry = zip.CreateEntry(name, level).Open();
                entry.Write(content);
            }
        }

        return stream.ToArray();
    }

    /// <summary>What torch.save writes around a pickle.</summary>
    public static byte[] Torch(byte[] pickle, params byte[][] storages) =>
        Zip(CompressionLevel.NoCompression, [("archive/data.pkl", pickle), .. storages.Select(static (s, i) => ($"archive/data/{i}", s))]);

    /// <summary>A pickle of one strided F32 view of storage 0: <c>_rebuild_tensor_v2(('storage', ...), offset, size, stride, False, OrderedDict())</c>.</summary>
    public static byte[] TensorPickle(long storageLength, long offset, long[] size, long[] strides)
    {
        var pickle = new List<byte> { 0x80, 2 };
        pickle.AddRange("ctorch._utils\n_rebuild_tensor_v2\n("u8);
        pickle.Add((byte)'(');
        Text("storage");
        pickle.AddRange("ctorch\nFloatStorage\n"u8);
        Text("0");
        Text("cuda:0");
        Integer(storageLength);
        pickle.AddRange("tQ"u8);
        Integer(offset);
        Tuple(size);
        Tuple(strides);
        pickle.Add(0x89);
        pickle.AddRange("ccollections\nOrderedDict\n)RtR."u8);
        return [.. pickle];

        void Text(string text)
        {
            pickle.AddRange([(byte)'X', (byte)text.Length, 0, 0, 0]);
            pickle.AddRange(Encoding.UTF8.GetBytes(text));
        }

        void Integer(long value)
        {
            byte[] bytes = new byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
            pickle.AddRange([0x8A, 8, .. bytes]);
        }

        void Tuple(long[] values)
        {
            pickle.Add((byte)'(');
            Array.ForEach(values, Integer);
            pickle.Add((byte)'t');
        }
    }
}
