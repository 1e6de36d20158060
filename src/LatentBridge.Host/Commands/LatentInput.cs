using System.Runtime.InteropServices;
using LatentBridge.Files;
using LatentBridge.Formats;
using LatentBridge.Imaging;
using LatentBridge.Latents;

namespace LatentBridge.Host.Commands;

/// <summary>A latent that a command was given as a file.</summary>
sealed class LatentInput
{
    LatentInput(LoadedLatent loaded) => Loaded = loaded;

    internal LoadedLatent Loaded { get; }

    internal LatentFormat Format => Loaded.Format;

    internal LatentShape Shape => Loaded.Shape;

    /// <summary>How the format was decided, to follow its name.</summary>
    internal string FormatReason => Loaded.FormatReason;

    /// <summary>True when nobody named the format.</summary>
    internal bool IsGuess => Loaded.IsFormatGuessed;

    /// <summary>The latent as the core reads it.</summary>
    internal Latent View => Loaded.View;

    /// <summary>Reads a file; what is not asked for is what the file says, else a guess.</summary>
    /// <exception cref="InputException">The file is not readable as a latent, or does not fit the format.</exception>
    internal static LatentInput Open(string path, LatentRequest request)
    {
        try
        {
            return new(IsPicture(path) ? LoadPicture(path, request) : LatentFile.Load(path, request));
        }
        catch (LatentBridgeException failure) when (failure is not InputException)
        {
            throw new InputException(failure.Message);
        }
    }

    static bool IsPicture(string path)
    {
        Span<byte> start = stackalloc byte[8];
        using FileStream? file = File.Exists(path) && RegularFile.Problem(path) is null ? File.OpenRead(path) : null;
        return file is not null && LatentPicture.IsPng(start[..file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)]);
    }

    static LoadedLatent LoadPicture(string path, LatentRequest request)
    {
        try
        {
            (string formatId, long[] axes, float[] values) = LatentPicture.Read(RegularFile.ReadAllBytes(path));
            return LatentFile.FromValues(path, formatId, axes, MemoryMarshal.AsBytes(values.AsSpan()).ToArray(), request);
        }
        catch (LatentBridgeException failure)
        {
            throw new InputException($"\"{path}\": {failure.Message}");
        }
    }
}
