using System.Runtime.InteropServices;
using LatentBridge.Files;
using LatentBridge.Formats;
using LatentBridge.Latents;
using LatentBridge.Scanning.Checks;
using LatentBridge.Tests;

namespace LatentBridge.Scanning.Tests.Checks;

/// <summary>On the example latents, which TAESD's encoders made of photographs.</summary>
public sealed class LatentCheckerTests
{
    public static TheoryData<string> Examples =>
        [.. Directory.GetFiles(Path.Combine(TestData.RepositoryRoot, "examples", "latents"), "*.safetensors").Select(path => Path.GetFileNameWithoutExtension(path))];

    [Theory]
    [MemberData(nameof(Examples))]
    public void A_natural_latent_is_sound(string name)
    {
        LoadedLatent latent = Load(name);
        using LatentChecker checker = new(latent.Format);
        for (int item = 0; item < latent.Shape.Batch; item++)
        {
            LatentFinding found = checker.Check(latent.View, item);
            Assert.True(found.Faults == LatentFaults.None, $"{name} [{item}]: {string.Join(", ", found.Faults.Names())} {string.Join("; ", found.Details)}");
        }
    }

    [Theory]
    [InlineData("SD15", LatentSpace.Sampler, false, "looks like VAE scale: it was never multiplied by 0.18215")]
    [InlineData("SD15", LatentSpace.Sampler, true, "looks like VAE scale times 0.18215 twice")]
    [InlineData("SD15", LatentSpace.Vae, true, "looks like VAE scale times 0.18215")]
    [InlineData("SDXL", LatentSpace.Sampler, true, "looks like VAE scale times 0.13025 twice")]
    [InlineData("Flux", LatentSpace.Sampler, false, "looks like VAE scale: it was never multiplied by 0.3611")]
    [InlineData("Flux", LatentSpace.Sampler, true, "looks like VAE scale times 0.3611 twice")]
    public void A_wrong_scale_is_named(string format, LatentSpace claimed, bool smaller, string expected)
    {
        LoadedLatent latent = Load($"{format}_kodim23");
        float[] values = Values(latent);
        LatentFormat of = latent.Format;
        float shift = of.ShiftFactor ?? 0;
        if (claimed == LatentSpace.Sampler)
        {
            values = Array.ConvertAll(values, value => smaller ? (value - shift) * of.ScaleFactor : (value / of.ScaleFactor) + shift);
        }

        Assert.Equal(expected, Assert.Single(Check(of, values, latent.Shape, claimed).Details));
    }

    [Fact]
    public void Each_fault_of_the_values_is_named()
    {
        LoadedLatent latent = Load("SDXL_kodim23");
        Assert.Equal(LatentFaults.Nan | LatentFaults.Inf, Spoiled(values => (values[3], values[4]) = (float.NaN, float.NegativeInfinity)));
        Assert.Equal(LatentFaults.Zero, Spoiled(values => values.AsSpan().Clear()));
        Assert.Equal(LatentFaults.Constant, Spoiled(values => values.AsSpan(0, latent.Shape.PlaneLength).Fill(0.5f)));
        Assert.Equal(LatentFaults.Saturated, Spoiled(values =>
        {
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = Math.Clamp(values[i], -1.5f, 1.5f);
            }
        }));

        LatentFaults Spoiled(Action<float[]> spoil)
        {
            float[] values = Values(latent);
            spoil(values);
            return Check(latent.Format, values, latent.Shape, LatentSpace.Sampler).Faults;
        }
    }

    [Fact]
    public void The_picture_beside_it_must_be_its_own()
    {
        LoadedLatent first = Load("SDXL_kodim04"), second = Load("SDXL_kodim23");
        using LatentChecker checker = new(first.Format);
        Luminance luminance = new();
        checker.Check(first.View);
        luminance.Take(checker.Picture, checker.PictureWidth, checker.PictureHeight);
        Assert.Equal(1, checker.Check(first.View, 0, luminance.Grid).Correlation!.Value, 1e-6);
        Assert.Equal(LatentFaults.Picture, checker.Check(second.View, 0, luminance.Grid).Faults);
    }

    static LatentFinding Check(LatentFormat format, float[] values, LatentShape shape, LatentSpace space)
    {
        using LatentChecker checker = new(format);
        return checker.Check(new Latent(MemoryMarshal.AsBytes<float>(values), LatentElementType.F32, shape, space));
    }

    static LoadedLatent Load(string name) => LatentFile.Load(Path.Combine(TestData.RepositoryRoot, "examples", "latents", name + ".safetensors"));

    static float[] Values(LoadedLatent latent)
    {
        float[] values = new float[latent.Shape.Length];
        TensorConversion.ToSingle(latent.Bytes, latent.ElementType == LatentElementType.F16 ? TensorElementType.F16 : TensorElementType.F32, values);
        return values;
    }
}
