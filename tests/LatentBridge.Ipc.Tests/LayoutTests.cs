using System.Runtime.InteropServices;
using System.Text.Json;
using LatentBridge.Testing;

namespace LatentBridge.Ipc.Tests;

/// <summary>The structs against the offsets of docs/protocol.md, one by one, and against the committed bytes.</summary>
public class LayoutTests
{
    const uint Generation = 1;
    const long LatentCapacity = 266240 - 128;
    const long ImageCapacity = 1576960 - 128;

    [Fact]
    public void Every_header_page_field_lies_at_its_offset()
    {
        AssertOffsets<HeaderPage>(72, (0, "Magic"), (8, "Version"), (12, "HeaderLength"), (16, "TotalLength"), (24, "LatentSlotCount"), (28, "ImageSlotCount"),
            (32, "LatentSlotsOffset"), (40, "LatentSlotStride"), (48, "ImageSlotsOffset"), (56, "ImageSlotStride"), (64, "OwnerProcess"), (68, "Generation"));
    }

    [Fact]
    public void Every_latent_slot_field_lies_at_its_offset()
    {
        AssertOffsets<LatentSlotHeader>(128, (0, "Magic"), (4, "Generation"), (8, "Sequence"), (16, "Run"), (24, "Stream"), (28, "Step"), (32, "TotalSteps"),
            (36, "Flags"), (40, "ElementType"), (44, "AxisCount"), (48, "Axes"), (88, "PayloadLength"));
    }

    [Fact]
    public void Every_image_slot_field_lies_at_its_offset()
    {
        AssertOffsets<ImageSlotHeader>(128, (0, "Magic"), (4, "Generation"), (8, "Sequence"), (16, "Run"), (24, "Stream"), (28, "Step"), (32, "TotalSteps"),
            (36, "Flags"), (40, "Encoding"), (44, "Width"), (48, "Height"), (56, "PayloadLength"));
    }

    [Fact]
    public void Good_header_pages_read_and_write_as_the_vectors_say()
    {
        foreach (Vectors.Case c in Vectors.Cases("header-page", "good"))
        {
            var page = MemoryMarshal.Read<HeaderPage>(c.Bytes);
            Assert.True(page.Validate() is null, $"{c}: {page.Validate()}");
            AssertFields(c, ("protocol", page.Version), ("headerLength", page.HeaderLength), ("totalLength", page.TotalLength), ("latentSlotCount", page.LatentSlotCount),
                ("imageSlotCount", page.ImageSlotCount), ("latentSlotsOffset", page.LatentSlotsOffset), ("latentSlotStride", page.LatentSlotStride),
                ("imageSlotsOffset", page.ImageSlotsOffset), ("imageSlotStride", page.ImageSlotStride), ("ownerProcess", page.OwnerProcess), ("generation", page.Generation));
            AssertBytes(c, page);
        }
    }

    [Fact]
    public void Create_makes_the_page_of_the_vectors()
    {
        Vectors.Case first = Vectors.Cases("header-page", "good")[0];
        AssertBytes(first, HeaderPage.Create(4, 4 * 4 * 128 * 128, 4, 1576960 - 128, 4711, 1));
    }

    [Fact]
    public void Good_latent_slots_read_and_write_as_the_vectors_say()
    {
        foreach (Vectors.Case c in Vectors.Cases("latent-slot", "good"))
        {
            var header = MemoryMarshal.Read<LatentSlotHeader>(c.Bytes);
            Assert.True(header.Validate(Generation, LatentCapacity) is null, $"{c}: {header.Validate(Generation, LatentCapacity)}");
            AssertFields(c, ("magic", header.Magic), ("generation", header.Generation), ("sequence", header.Sequence), ("run", header.Run), ("stream", header.Stream), ("step", header.Step),
                ("totalSteps", header.TotalSteps), ("flags", (uint)header.Flags), ("elementType", header.ElementType), ("axisCount", header.AxisCount), ("payloadLength", header.PayloadLength));
            long[] axes = [.. c.Fields.GetProperty("axes").EnumerateArray().Select(a => a.GetInt64())];
            ReadOnlySpan<long> read = header.Axes;
            Assert.Equal(axes, read[..axes.Length].ToArray());
            AssertBytes(c, header);
        }
    }

    [Fact]
    public void Good_image_slots_read_and_write_as_the_vectors_say()
    {
        foreach (Vectors.Case c in Vectors.Cases("image-slot", "good"))
        {
            var header = MemoryMarshal.Read<ImageSlotHeader>(c.Bytes);
            Assert.True(header.Validate(Generation, ImageCapacity) is null, $"{c}: {header.Validate(Generation, ImageCapacity)}");
            AssertFields(c, ("magic", header.Magic), ("generation", header.Generation), ("sequence", header.Sequence), ("run", header.Run), ("stream", header.Stream), ("step", header.Step),
                ("totalSteps", header.TotalSteps), ("flags", (uint)header.Flags), ("encoding", header.Encoding), ("width", header.Width), ("height", header.Height), ("payloadLength", header.PayloadLength));
            AssertBytes(c, header);
        }
    }

    [Fact]
    public void Every_bad_vector_is_refused_with_a_sentence_naming_what_was_found()
    {
        foreach (Vectors.Case c in Vectors.Cases("header-page", "bad"))
        {
            AssertRefused(c, MemoryMarshal.Read<HeaderPage>(c.Bytes).Validate());
        }

        foreach (Vectors.Case c in Vectors.Cases("latent-slot", "bad"))
        {
            AssertRefused(c, MemoryMarshal.Read<LatentSlotHeader>(c.Bytes).Validate(Generation, LatentCapacity));
        }

        foreach (Vectors.Case c in Vectors.Cases("image-slot", "bad"))
        {
            AssertRefused(c, MemoryMarshal.Read<ImageSlotHeader>(c.Bytes).Validate(Generation, ImageCapacity));
        }
    }

    [Fact]
    public void Any_128_bytes_validate_without_an_exception_and_an_accepted_slot_fits()
    {
        Span<byte> bytes = stackalloc byte[128];
        byte[] good = Vectors.Cases("latent-slot", "good")[0].Bytes;
        var random = new Random(20261121);
        int accepted = 0;
        for (int i = 0; i < 200_000; i++)
        {
            // A good header with a few bytes changed gets further into the checks than noise does.
            good.CopyTo(bytes);
            for (int change = random.Next(4); change > 0; change--)
            {
                bytes[random.Next(96)] = random.Next(3) switch { 0 => 0, 1 => 0xFF, _ => (byte)random.Next(256) };
            }

            var header = MemoryMarshal.Read<LatentSlotHeader>(bytes);
            if (header.Validate(Generation, LatentCapacity) is null)
            {
                accepted++;
                long product = header.ElementByteLength;
                for (int axis = 0; axis < header.AxisCount; axis++)
                {
                    product *= header.Axes[axis];
                }

                Assert.Equal((ulong)product, header.PayloadLength);
                Assert.InRange(product, 1, LatentCapacity);
            }
        }

        Assert.InRange(accepted, 1000, 199_000);
    }

    static void AssertOffsets<T>(int length, params (int Offset, string Field)[] fields)
        where T : unmanaged
    {
        Assert.Equal(length, Marshal.SizeOf<T>());
        Assert.Equal(fields.Length, typeof(T).GetFields(System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.Public).Length);
        foreach ((int offset, string field) in fields)
        {
            Assert.Equal((field, offset), (field, (int)Marshal.OffsetOf<T>(field)));
        }
    }

    static void AssertFields(Vectors.Case c, params (string Name, object Value)[] fields)
    {
        foreach ((string name, object value) in fields)
        {
            JsonElement expected = c.Fields.GetProperty(name);
            Assert.Equal($"{c}: {name} = {expected.GetRawText()}", $"{c}: {name} = {value}");
        }
    }

    static void AssertBytes<T>(Vectors.Case c, in T value)
        where T : unmanaged
    {
        byte[] bytes = new byte[c.Bytes.Length];
        MemoryMarshal.Write(bytes, value);
        Assert.Equal($"{c}: {Convert.ToHexString(c.Bytes)}", $"{c}: {Convert.ToHexString(bytes)}");
    }

    static void AssertRefused(Vectors.Case c, string? problem) => Assert.True(problem is { Length: > 10 }, $"\"{c}\" was accepted");
}
