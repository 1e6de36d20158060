using BenchmarkDotNet.Attributes;
using LatentBridge.Imaging.Png;
using LatentBridge.Simd;

namespace LatentBridge.Benchmarks;

/// <summary>The PNG encoder at every kernel width, on a soft synthetic picture of 512x512 (256 kpixel: 1 ms is 262 Mpixel/s).</summary>
[MemoryDiagnoser]
public class PngEncoderBenchmarks
{
    const int Side = 512;

    readonly byte[] _pixels = MakePicture();
    readonly byte[] _file = new byte[PngEncoder.MaximumLength(Side, Side, 3)];
    PngEncoder _encoder = new();

    public static IEnumerable<KernelWidth> Widths => Kernel.Supported;

    [ParamsSource(nameof(Widths))]
    public KernelWidth Width { get; set; }

    [GlobalSetup]
    public void Setup() => _encoder = new PngEncoder(Width);

    [Benchmark]
    public int Encode() => _encoder.Encode(_pixels, Side, Side, 3, _file);

    [Benchmark]
    public uint Crc() => Crc32.Append(0, _pixels);

    /// <summary>Waves with grain: about as compressible as a photo.</summary>
    static byte[] MakePicture()
    {
        var random = new Random(1);
        var pixels = new byte[Side * Side * 3];
        for (int i = 0; i < pixels.Length; i++)
        {
            int x = i / 3 % Side, y = i / 3 / Side;
            pixels[i] = (byte)(128 + (60 * Math.Sin((x + (i % 3 * 20)) / 40.0)) + (40 * Math.Cos(y / 23.0)) + random.Next(-6, 7));
        }

        return pixels;
    }
}
