namespace LatentBridge.Host.Sheets;

/// <summary>RGB24 pixels, rows from top to bottom without padding.</summary>
/// <param name="Pixels">Exactly 3 x width x height bytes.</param>
/// <param name="Width">Pixels from left to right.</param>
/// <param name="Height">Rows.</param>
sealed record Picture(byte[] Pixels, int Width, int Height);
