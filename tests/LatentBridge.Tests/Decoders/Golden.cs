using LatentBridge.Files;
using LatentBridge.Latents;

namespace LatentBridge.Tests.Decoders;

/// <summary>A latent and the picture that the reference implementation made of it.</summary>
sealed record Golden(int Channels, int Height, int Width, float[] Latent, float[] Picture)
{
    /// <summary>The latent as decoders read it.</summary>
    public LatentPlanes Planes => new(Latent, Channels, Height, Width);

    /// <summary>One that is committed.</summary>
    public static Golden Committed(string name) => Read(Path.Combine(TestData.RepositoryRoot, "tests", "Goldens", "Decoders", name + ".safetensors"), "picture");

    /// <summary>One of the test data, made with published weights.</summary>
    public static Golden OfTestData(string name, string picture) => Read(TestData.Require("reference", "golden", name + ".safetensors"), picture);

    static Golden Read(string path, string picture)
    {
        using TensorFile file = TensorFile.Open(path);
        TensorEntry latent = file.Find("latent")!;
        var golden = new Golden((int)latent.Dimensions[1], (int)latent.Dimensions[2], (int)latent.Dimensions[3], new float[latent.Length], new float[file.Find(picture)!.Length]);
        latent.CopyTo(golden.Latent);
        file.Find(picture)!.CopyTo(golden.Picture);
        return golden;
    }

    /// <summary>The byte nearest to a colour of -1..1 and, where the colour is within a tolerance of the boundary, its neighbour.</summary>
    public static void AssertByte(double colour, byte actual, double tolerance)
    {
        double level = Math.Clamp((colour + 1) / 2, 0, 1) * 255;
        Assert.InRange(actual, Math.Floor(level + 0.5 - tolerance), Math.Floor(Math.Min(255, level + tolerance) + 0.5));
    }
}
