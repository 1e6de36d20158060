using System.Buffers.Binary;
using FsCheck;
using FsCheck.Fluent;
using LatentBridge.Files;
using LatentBridge.Latents;

namespace LatentBridge.Tests.Files;

/// <summary>Random shapes, strides and element types, written by the small writers of the tests and read back.</summary>
public sealed class TensorFilePropertyTests
{
    static readonly Gen<long[]> Shapes = Gen.Choose(0, 5).SelectMany(static rank => Gen.ArrayOf(Gen.Choose(0, 5).Select(static d => (long)d), rank));

    [Fact]
    public void A_strided_view_reads_as_its_indices_say()
    {
        var views =
            from shape in Shapes
            from strides in Gen.ArrayOf(Gen.Choose(0, 7).Select(static s => (long)s), shape.Length)
            from offset in Gen.Choose(0, 9)
            from spare in Gen.Choose(-1, 3)
            select (shape, strides, offset, spare);
        Check(views, static view =>
        {
            (long[] shape, long[] strides, int offset, int spare) = view;
            bool empty = shape.Contains(0);
            long extent = empty ? 0 : 1 + shape.Zip(strides).Sum(static axis => (axis.First - 1) * axis.Second);
            long length = Math.Max(0, offset + extent + spare);
            float[] storage = [.. Enumerable.Range(0, (int)length).Select(static i => i * 0.5f)];
            byte[] file = TensorFileWriters.Torch(TensorFileWriters.TensorPickle(length, offset, shape, strides), Bytes(storage));
            if (offset + extent > length)
            {
                Assert.Throws<LatentBridgeException>(() => TensorFile.Parse(file, "x"));
                return;
            }

            using var read = TensorFile.Parse(file, "x");
            float[] expected = [.. Indices(shape).Select(index => storage[offset + index.Zip(strides).Sum(static axis => axis.First * axis.Second)])];
            Assert.Equal(expected, Values(read.Tensors[0]));
            byte[] bytes = new byte[read.Tensors[0].ByteLength];
            read.Tensors[0].CopyBytesTo(bytes);
            Assert.Equal(Bytes(expected), bytes);
        });
    }

    [Fact]
    public void An_npy_array_reads_as_it_was_written_in_any_type_order_and_byte_order()
    {
        var arrays =
            from shape in Shapes
            from type in Gen.Elements("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "b1")
            from bigEndian in Gen.Elements(true, false)
            from fortran in Gen.Elements(true, false)
            select (shape, type, bigEndian, fortran);
        Check(arrays, static array =>
        {
            (long[] shape, string type, bool bigEndian, bool fortran) = array;
            long[][] indices = [.. Indices(shape)];
            float[] values = [.. indices.Select((_, i) => type == "b1" ? i % 2 : type[0] == 'u' ? i % 120 : i % 120 - 60)];
            long[][] stored = fortran ? [.. indices.OrderBy(index => Weigh(index, shape))] : indices;
            var data = new List<byte>();
            foreach (long[] index in stored)
            {
                byte[] element = Element(values[Array.FindIndex(indices, i => i.SequenceEqual(index))], type);
                data.AddRange(bigEndian ? element.Reverse() : element);
            }

            string axes = $"({string.Concat(shape.Select(static d => $"{d}, "))})";
            byte[] file = TensorFileWriters.Npy((bigEndian ? ">" : "<") + type, fortran, axes, data.ToArray());
            using var read = TensorFile.Parse(file, "x");
            Assert.Equal(shape, read.Tensors[0].Dimensions);
            Assert.Equal(values, Values(read.Tensors[0]));
        });
    }

    [Fact]
    public void What_the_safetensors_writer_wrote_reads_back()
    {
        var files = Gen.Choose(0, 6).SelectMany(static count => Gen.ArrayOf(
            from shape in Shapes
            from type in Gen.Elements(TensorElementType.F32, TensorElementType.F16, TensorElementType.BF16, TensorElementType.U8, TensorElementType.I64)
            from name in ArbMap.Default.GeneratorFor<NonNull<string>>()
            select (shape, type, name: name.Get),
            count));
        Check(files, static tensors =>
        {
            StoredTensor[] written = [.. tensors.Select(static (t, i) => new StoredTensor(
                $"{i}{Valid(t.name)}", t.type, t.shape, Pattern(t.shape.Aggregate(1L, static (a, b) => a * b) * t.type.ByteLength())))];
            var metadata = tensors.Select(static (t, i) => ($"{Valid(t.name)}{i}", Valid(t.name))).ToDictionary();
            using var stream = new MemoryStream();
            SafetensorsWriter.Write(stream, written, metadata);
            using var read = TensorFile.Parse(stream.ToArray(), "x");
            Assert.Equal(metadata, read.Metadata);
            Assert.Equal(written.Length, read.Tensors.Count);
            foreach (StoredTensor tensor in written)
            {
                StoredTensor again = StoredTensor.From(read.Find(tensor.Name)!);
                Assert.Equal(tensor.ElementType, again.ElementType);
                Assert.Equal(tensor.Dimensions, again.Dimensions);
                Assert.Equal(tensor.Bytes.ToArray(), again.Bytes.ToArray());
            }
        });
    }

    static void Check<T>(Gen<T> values, Action<T> property) =>
        FsCheck.Check.One(Config.QuickThrowOnFailure.WithMaxTest(300), Prop.ForAll(Arb.From(values), property));

    /// <summary>All indices of a shape in row-major order.</summary>
    static IEnumerable<long[]> Indices(long[] shape)
    {
        IEnumerable<long[]> indices = [[]];
        foreach (long dimension in shape)
        {
            indices = [.. indices.SelectMany(index => Enumerable.Range(0, (int)dimension).Select(i => (long[])[.. index, i]))];
        }

        return indices;
    }

    /// <summary>Where an index lies in column-major order.</summary>
    static long Weigh(long[] index, long[] shape)
    {
        long position = 0;
        for (int axis = shape.Length - 1; axis >= 0; axis--)
        {
            position = position * shape[axis] + index[axis];
        }

        return position;
    }

    static byte[] Element(float value, string type) => type switch
    {
        "f8" => BitConverter.GetBytes((double)value),
        "f4" => BitConverter.GetBytes(value),
        "f2" => BitConverter.GetBytes((Half)value),
        "i8" => BitConverter.GetBytes((long)value),
        "i4" => BitConverter.GetBytes((int)value),
        "i2" => BitConverter.GetBytes((short)value),
        "u8" => BitConverter.GetBytes((ulong)value),
        "u4" => BitConverter.GetBytes((uint)value),
        "u2" => BitConverter.GetBytes((ushort)value),
        _ => [(byte)(sbyte)value],
    };

    static byte[] Bytes(float[] values)
    {
        byte[] bytes = new byte[4 * values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(4 * i), values[i]);
        }

        return bytes;
    }

    static byte[] Pattern(long length) => [.. Enumerable.Range(0, (int)length).Select(static i => (byte)(i * 37 + 11))];

    /// <summary>The name without halves of surrogate pairs, which no JSON text can hold.</summary>
    static string Valid(string name) => string.Concat(name.EnumerateRunes());

    static float[] Values(TensorEntry entry)
    {
        float[] values = new float[entry.Length];
        entry.CopyTo(values);
        return values;
    }
}
