using LatentBridge.Host.Sheets;
using LatentBridge.Imaging.Png;

namespace LatentBridge.Host.Commands;

/// <summary>Pictures that a command was given as files and folders.</summary>
static class PictureFiles
{
    /// <summary>A file itself, or the PNG pictures of a folder in the order of their names.</summary>
    /// <exception cref="InputException">It is neither, or a folder without pictures.</exception>
    internal static string[] Find(string path)
    {
        if (!Directory.Exists(path))
        {
            return File.Exists(path) ? [path] : throw new InputException($"\"{path}\" is neither a file nor a folder.");
        }

        string[] files = [.. Directory.GetFiles(path, "*.png").Order(StringComparer.Ordinal)];
        return files.Length > 0 ? files : throw new InputException($"The folder \"{path}\" has no PNG pictures.");
    }

    /// <summary>Reads a PNG picture.</summary>
    /// <exception cref="InputException">It is none, or cannot be read; the message names it.</exception>
    internal static PngImage ReadPng(string file)
    {
        try
        {
            return PngReader.Read(File.ReadAllBytes(file));
        }
        catch (Exception failure) when (failure is LatentBridgeException or IOException or UnauthorizedAccessException)
        {
            throw new InputException(failure is LatentBridgeException ? $"\"{file}\": {failure.Message}" : failure.Message);
        }
    }

    /// <summary>Reads a PNG picture of at least so many pixels a side.</summary>
    /// <exception cref="InputException">It is smaller, or <see cref="ReadPng"/> cannot read it.</exception>
    internal static Picture Read(string file, int smallestSide)
    {
        PngImage image = ReadPng(file);
        return Math.Min(image.Width, image.Height) >= smallestSide
            ? new(image.ToRgb(), image.Width, image.Height)
            : throw new InputException($"\"{file}\" is {image.Width} x {image.Height}; at least {smallestSide} x {smallestSide} pixels are needed.");
    }
}
