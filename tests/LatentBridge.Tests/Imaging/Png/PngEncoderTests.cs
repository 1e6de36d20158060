using System.Buffers.Binary;
using FsCheck;
using FsCheck.Fluent;
using LatentBridge.Imaging.Png;
using LatentBridge.Simd;
using LatentBridge.Testing;

namespace LatentBridge.Tests.Imaging.Png;

public class PngEncoderTests
{
    static byte[] Encode(PngEncoder encoder, byte[] pixels, int width, int height, int channels)
    {
        var file = new byte[PngEncoder.MaximumLength(width, height, channels)];
        int length = encoder.Encode(pixels, width, height, channels, file);
        return file[..length];
    }

    [Fact]
    public void Any_picture_reads_back_and_has_the_same_bytes_at_every_kernel_width()
    {
        PngEncoder[] encoders = [.. Kernel.Supported.Select(width => new PngEncoder(width))];
        Gen<(int Width, int Height, int Channels, string Kind, int Seed)> pictures =
            from width in Gen.Choose(1, 70)
            from height in Gen.Choose(1, 70)
            from channels in Gen.Elements(1, 3)
            from kind in Gen.Elements(PngSamples.Kinds)
            from seed in Gen.Choose(0, 255)
            select (width, height, channels, kind, seed);
        Prop.ForAll(pictures.ToArbitrary(), picture =>
        {
            byte[] pixels = PngSamples.Make(picture.Kind, picture.Width, picture.Height, picture.Channels, picture.Seed);
            byte[] first = Encode(encoders[0], pixels, picture.Width, picture.Height, picture.Channels);
            foreach (PngEncoder encoder in encoders)
            {
                Assert.Equal(first, Encode(encoder, pixels, picture.Width, picture.Height, picture.Channels));
            }

            PngImage image = PngReader.Read(first);
            Assert.Equal((picture.Width, picture.Height, picture.Channels), (image.Width, image.Height, image.Channels));
            Assert.Equal(pixels, image.Pixels);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(1, 1, 3)]
    [InlineData(1, 3000, 3)]
    [InlineData(20000, 1, 1)]
    [InlineData(16385, 3, 3)]
    [InlineData(512, 300, 3)]
    public void Extreme_shapes_read_back(int width, int height, int channels)
    {
        foreach (string kind in PngSamples.Kinds)
        {
            byte[] pixels = PngSamples.Make(kind, width, height, channels, seed: 7);
            byte[] file = Encode(new PngEncoder(), pixels, width, height, channels);
            Assert.Equal(pixels, PngReader.Read(file).Pixels);
        }
    }

    [Fact]
    public void Noise_is_stored_and_stays_below_the_maximum_length()
    {
        byte[] pixels = PngSamples.Make("noise", 300, 300, 3, seed: 1);
        byte[] file = Encode(new PngEncoder(), pixels, 300, 300, 3);
        Assert.InRange(file.Length, pixels.Length, pixels.Length + 400);
        Assert.True(file.Length <= PngEncoder.MaximumLength(300, 300, 3));
    }

    [Theory]
    [InlineData("flat", 2500)]
    [InlineData("steps", 2500)]
    [InlineData("stripes", 2500)]
    public void Flat_and_repeating_pictures_become_runs(string kind, int most)
    {
        byte[] file = Encode(new PngEncoder(), PngSamples.Make(kind, 512, 512, 3, seed: 9), 512, 512, 3);
        Assert.InRange(file.Length, 100, most);
    }

    [Fact]
    public void A_destination_that_is_too_small_is_left_alone_and_the_needed_length_is_returned()
    {
        byte[] pixels = PngSamples.Make("soft noise", 60, 40, 3, seed: 3);
        var encoder = new PngEncoder();
        byte[] file = Encode(encoder, pixels, 60, 40, 3);

        byte[] small = new byte[file.Length - 1];
        Assert.Equal(file.Length, encoder.Encode(pixels, 60, 40, 3, small));
        Assert.All(small, value => Assert.Equal(0, value));
        Assert.Equal(file.Length, encoder.Encode(pixels, 60, 40, 3, []));

        byte[] exact = new byte[file.Length];
        Assert.Equal(file.Length, encoder.Encode(pixels, 60, 40, 3, exact));
        Assert.Equal(file, exact);
    }

    [Fact]
    public void Nothing_is_allocated_after_the_first_picture()
    {
        byte[] pixels = PngSamples.Make("soft noise", 200, 100, 3, seed: 3);
        byte[] noise = PngSamples.Make("noise", 200, 100, 3, seed: 3);
        byte[] file = new byte[PngEncoder.MaximumLength(200, 100, 3)];
        foreach (KernelWidth width in Kernel.Supported)
        {
            var encoder = new PngEncoder(width);
            Assert.Equal(0, Allocated.By(() =>
            {
                encoder.Encode(pixels, 200, 100, 3, file);
                encoder.Encode(noise, 200, 100, 3, file);
                encoder.Encode(pixels.AsSpan(0, 99 * 33), 33, 33, 3, file);
            }));
        }
    }

    [Fact]
    public void An_encoder_forgets_the_picture_before()
    {
        var encoder = new PngEncoder();
        byte[] pixels = PngSamples.Make("soft noise", 31, 17, 3, seed: 5);
        byte[] first = Encode(encoder, pixels, 31, 17, 3);
        Encode(encoder, PngSamples.Make("noise", 70, 70, 1, seed: 5), 70, 70, 1);
        Encode(encoder, PngSamples.Make("flat", 1, 1, 3, seed: 5), 1, 1, 3);
        Assert.Equal(first, Encode(encoder, pixels, 31, 17, 3));
    }

    [Theory]
    [InlineData(0, 1, 3)]
    [InlineData(1, -1, 3)]
    [InlineData(1, 1, 2)]
    [InlineData(1, 1, 4)]
    [InlineData(int.MaxValue, 1, 3)]
    [InlineData(65535, 65535, 3)]
    public void Impossible_sizes_are_refused(int width, int height, int channels)
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => PngEncoder.MaximumLength(width, height, channels));
        Assert.Throws<ArgumentOutOfRangeException>(() => new PngEncoder().Encode([], width, height, channels, []));
    }

    [Fact]
    public void Pixels_that_do_not_fit_the_size_are_refused()
    {
        var exception = Assert.Throws<ArgumentException>(() => new PngEncoder().Encode(new byte[11], 2, 2, 3, new byte[5000]));
        Assert.Contains("12 bytes, not 11", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_file_is_signature_header_one_data_chunk_and_end()
    {
        byte[] file = Encode(new PngEncoder(), PngSamples.Make("gradient", 5, 4, 3, seed: 0), 5, 4, 3);
        Assert.Equal("89504E470D0A1A0A0000000D49484452000000050000000408020000", Convert.ToHexString(file, 0, 28));
        int data = BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(33));
        Assert.Equal("IDAT"u8.ToArray(), file[37..41]);
        Assert.Equal("0000000049454E44AE426082", Convert.ToHexString(file.AsSpan(33 + 12 + data)));
    }
}
