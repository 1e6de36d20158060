using LatentBridge.Testing;

namespace LatentBridge.Ipc.Tests;

public class SharedMappingTests
{
    static readonly HeaderPage Page = HeaderPage.Create(3, 1000, 2, 5000, 4711, 1);

    [Fact]
    public void What_the_shim_writes_is_seen_and_what_the_host_writes_too()
    {
        using var memory = new ShimMemory(Page);
        using var mapping = SharedMapping.Open(memory.Source, (long)Page.TotalLength, 1);
        Assert.Equal((3, 2, 4096 - 128L, 8192 - 128L), (mapping.LatentSlotCount, mapping.ImageSlotCount, mapping.LatentCapacity, mapping.ImageCapacity));

        long latent = 4096 + (2 * 4096);
        memory.Write(new LatentSlotHeader { Magic = LatentSlotHeader.ExpectedMagic, Sequence = 5, PayloadLength = 3 }, latent);
        memory.Write([1, 2, 3], latent + 128);
        LatentSlotHeader header = mapping.ReadLatentHeader(2);
        Assert.Equal(5UL, header.Sequence);
        Assert.Equal([1, 2, 3], mapping.LatentPayload(2, header).ToArray());

        mapping.ImagePayload(1)[..2].Fill(9);
        mapping.WriteImageHeader(1, new ImageSlotHeader { Magic = ImageSlotHeader.ExpectedMagic, PayloadLength = 2 });
        long image = 4096 + (3 * 4096) + 8192;
        Assert.Equal("IMAG"u8.ToArray(), memory.Read(image, 4));
        Assert.Equal([9, 9, 0], memory.Read(image + 128, 3));
    }

    [Fact]
    public void The_same_memory_serves_a_bigger_geometry()
    {
        using var memory = new ShimMemory(Page);
        SharedMapping.Open(memory.Source, (long)Page.TotalLength, 1).Dispose();
        HeaderPage bigger = HeaderPage.Create(4, 1 << 20, 4, 1 << 21, 4711, 2);
        memory.Resize(bigger);
        using var mapping = SharedMapping.Open(memory.Source, (long)bigger.TotalLength, 2);
        mapping.ImagePayload(3)[^1] = 7;
        Assert.Equal([7], memory.Read((long)bigger.TotalLength - 1, 1));
    }

    [Fact]
    public void Memory_shorter_than_said_is_refused_before_a_page_is_touched()
    {
        using var memory = new ShimMemory(4096);
        memory.Write(Page, 0);
        var e = Assert.Throws<MappingException>(() => SharedMapping.Open(memory.Source, (long)Page.TotalLength, 1));
        Assert.Contains(OperatingSystem.IsWindows() ? "cannot be opened" : "has 4096 bytes", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Wrong_length_generation_page_descriptor_and_kind_are_refused()
    {
        using var memory = new ShimMemory(Page);
        Assert.Contains("attach said 4096", Refusal(memory.Source, 4096, 1), StringComparison.Ordinal);
        Assert.Contains("attach said 2", Refusal(memory.Source, (long)Page.TotalLength, 2), StringComparison.Ordinal);
        Assert.Contains("header page alone", Refusal(memory.Source, 0, 1), StringComparison.Ordinal);
        Assert.Contains("header page alone", Refusal(memory.Source, -1, 1), StringComparison.Ordinal);
        Assert.Contains("bytes", Refusal(memory.Source, long.MaxValue, 1), StringComparison.Ordinal);
        memory.Write([0], 0);
        Assert.Contains("begins with", Refusal(memory.Source, (long)Page.TotalLength, 1), StringComparison.Ordinal);
    }

    [Fact]
    public void A_source_that_is_not_there_or_of_another_system_is_refused()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Contains("cannot be opened", Refusal(MappingSource.FromSection(@"Local\latentbridge-none"), 8192, 1), StringComparison.Ordinal);
            Assert.Contains("send a section's name", Refusal(MappingSource.FromDescriptor(7), 8192, 1), StringComparison.Ordinal);
            return;
        }

        Assert.Contains("descriptor 99999", Refusal(MappingSource.FromDescriptor(99999), 8192, 1), StringComparison.Ordinal);
        Assert.Contains("descriptor -1", Refusal(MappingSource.FromDescriptor(-1), 8192, 1), StringComparison.Ordinal);
        Assert.Contains("only Windows has", Refusal(MappingSource.FromSection("x"), 8192, 1), StringComparison.Ordinal);
        using var pipe = new System.IO.Pipes.AnonymousPipeServerStream();
        Assert.Contains("cannot be opened", Refusal(MappingSource.FromDescriptor((int)pipe.SafePipeHandle.DangerousGetHandle()), 8192, 1), StringComparison.Ordinal);
    }

    [Fact]
    public void A_slot_that_does_not_exist_throws_and_disposing_twice_is_harmless()
    {
        using var memory = new ShimMemory(Page);
        var mapping = SharedMapping.Open(memory.Source, (long)Page.TotalLength, 1);
        Assert.Throws<ArgumentOutOfRangeException>(() => mapping.ReadLatentHeader(3));
        Assert.Throws<ArgumentOutOfRangeException>(() => mapping.ReadLatentHeader(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => mapping.ImagePayload(2)[0]);
        mapping.Dispose();
        mapping.Dispose();
    }

    static string Refusal(MappingSource source, long length, uint generation) =>
        Assert.Throws<MappingException>(() => SharedMapping.Open(source, length, generation).Dispose()).Message;
}
